"""Every number that /metrics shows: names, labels, and the functions that count; knows no view and no rule.

The workers of one server count into files of one folder, which a scrape adds up. Label values come from closed lists,
and what is not on them is ``other``: nothing that a caller may choose makes a new line.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from apikeys.calls import FinishedCall
from mlflow_proxy.reasons import REASONS

log = structlog.get_logger(__name__)

TRAFFIC = frozenset(("metadata", "transfer", "stream", "rest", "none"))
METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
STATUSES = range(100, 600)
OTHER = "other"
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)

_registry = CollectorRegistry()

REQUESTS = Counter(
    "hokusai_requests_total",
    "Calls that have ended, whatever became of them.",
    ("service", "traffic", "method", "status"),
    registry=_registry,
)
REFUSALS = Counter(
    "hokusai_refusals_total",
    "Replies that carry a reason, and replies that broke off.",
    ("reason",),
    registry=_registry,
)
REQUEST_SECONDS = Histogram(
    "hokusai_request_seconds",
    "From the first line of the view until the reply is sent.",
    ("traffic",),
    buckets=BUCKETS,
    registry=_registry,
)
UPSTREAM_SECONDS = Histogram(
    "hokusai_upstream_seconds",
    "From a call to MLflow until the head of its answer, with the sending of the body.",
    ("traffic",),
    buckets=BUCKETS,
    registry=_registry,
)
BODY_BYTES = Counter(
    "hokusai_body_bytes_total",
    "Bytes of bodies that were read from callers (in) and sent to them (out).",
    ("direction", "traffic"),
    registry=_registry,
)
PRESIGNED_URLS = Counter(
    "hokusai_presigned_urls_total",
    "Signed addresses of the store that were handed out.",
    ("method",),
    registry=_registry,
)
UPSTREAM_CONNECTIONS = Counter(
    "hokusai_upstream_connections_total", "Connections to MLflow that were opened.", ("traffic",), registry=_registry
)
STORE_FAULTS = Counter(
    "hokusai_store_faults_total", "Failed calls of the artifact store.", ("reason",), registry=_registry
)
BREAKERS_OPEN = Gauge(
    "hokusai_breakers_open",
    "Workers of this server whose breaker is open.",
    ("upstream", "traffic"),
    multiprocess_mode="livesum",
    registry=_registry,
)
BREAKER_OPENINGS = Counter(
    "hokusai_breaker_openings_total", "Times that a breaker opened.", ("upstream", "traffic"), registry=_registry
)
KEYS = Gauge("hokusai_keys", "API keys by status.", ("status",), multiprocess_mode="livemostrecent", registry=_registry)
PROBES_FAILED = Gauge(
    "hokusai_probe_failed",
    "1 for a probe that the last storage check saw failing, 0 for one that passed or is unknown.",
    ("probe",),
    multiprocess_mode="livemostrecent",
    registry=_registry,
)
PROBE_AGE_SECONDS = Gauge(
    "hokusai_probe_age_seconds",
    "Since the storage check that asked the probe last has ended.",
    ("probe",),
    multiprocess_mode="livemostrecent",
    registry=_registry,
)
# The closed list: docs/operations.md has a row for each.
METRICS = (
    *(REQUESTS, REFUSALS, REQUEST_SECONDS, UPSTREAM_SECONDS),
    *(BODY_BYTES, PRESIGNED_URLS, UPSTREAM_CONNECTIONS, STORE_FAULTS),
    *(BREAKERS_OPEN, BREAKER_OPENINGS, KEYS, PROBES_FAILED, PROBE_AGE_SECONDS),
)

# Of each file that a worker counts into: about 2,500 lines.
RESERVED_BYTES = 512 * 1024
_folder: Path | None = None
_has_room = True


def reserve(folder: Path, pid: int) -> None:
    """Take the room on disk that a worker counts into; without it the worker counts nothing, and says so.

    prometheus-client maps sparse files into memory. On a full disk, the first touch of a new page of one would kill
    the worker and every transfer in it (SIGBUS).
    """
    global _folder, _has_room  # noqa: PLW0603
    _folder = folder
    try:
        for kind in ("counter", "histogram", "gauge_livesum", "gauge_livemostrecent"):
            file = folder / f"{kind}_{pid}.db"
            if not file.exists():
                # Under another name at first: a scrape must not find it half made.
                draft = file.with_suffix(".draft")
                draft.write_bytes(bytes(RESERVED_BYTES))
                draft.rename(file)
    except OSError as error:
        _has_room = False
        log.error("metrics_disabled", error=error.strerror, hint="make room in HOKUSAI_DATA_DIR and restart")  # noqa: TRY400


def forget(folder: Path, pid: int) -> None:
    """Say that a worker has ended; what it has counted stays."""
    mark_process_dead(pid, path=str(folder))  # type: ignore[no-untyped-call]


def count(call: FinishedCall) -> None:
    """Count a finished call."""
    traffic = _listed(call.traffic, TRAFFIC)
    status = str(call.status) if call.status in STATUSES else OTHER
    _child(REQUESTS, call.service, traffic, _listed(call.method, METHODS), status).inc()
    _child(REQUEST_SECONDS, traffic).observe(call.seconds)
    if call.bytes_in:
        _child(BODY_BYTES, "in", traffic).inc(call.bytes_in)
    if call.bytes_out:
        _child(BODY_BYTES, "out", traffic).inc(call.bytes_out)
    if call.reason:
        count_refusal(call.reason)


def count_refusal(reason: str) -> None:
    """Count a refusal; those of a finished call are counted with it."""
    _child(REFUSALS, _listed(reason, REASONS)).inc()


def count_presigned(method: str, addresses: int) -> None:
    _child(PRESIGNED_URLS, _listed(method, METHODS)).inc(addresses)


def count_store_fault(reason: str) -> None:
    _child(STORE_FAULTS, _listed(reason, REASONS)).inc()


def note_breaker(upstream: str, traffic: str, *, is_open: bool) -> None:
    """Show a breaker of this worker as open or closed."""
    _child(BREAKERS_OPEN, upstream, _listed(traffic, TRAFFIC)).set(int(is_open))
    if is_open:
        _child(BREAKER_OPENINGS, upstream, _listed(traffic, TRAFFIC)).inc()


def note_keys(counts: Mapping[str, int]) -> None:
    """Show how many keys there are by status, as just counted."""
    for status, keys in counts.items():
        _child(KEYS, status).set(keys)


def note_probe(name: str, *, is_failed: bool, age: float) -> None:
    """Show what a storage check found ``age`` seconds ago."""
    _child(PROBES_FAILED, name).set(int(is_failed))
    _child(PROBE_AGE_SECONDS, name).set(age)


def open_breakers() -> dict[tuple[str, str], int]:
    """Return how many workers of this server have a breaker open, by upstream and kind of traffic."""
    families = (family for family in _numbers().collect() if family.name == "hokusai_breakers_open")
    samples = (sample for family in families for sample in family.samples if sample.value)
    return {(sample.labels["upstream"], sample.labels["traffic"]): int(sample.value) for sample in samples}


def count_upstream_connection(traffic: str) -> None:
    _child(UPSTREAM_CONNECTIONS, _listed(traffic, TRAFFIC)).inc()


@contextmanager
def timed_upstream(traffic: str) -> Iterator[None]:
    """Measure a call to MLflow, whatever becomes of it."""
    began_at = time.perf_counter()
    try:
        yield
    finally:
        _child(UPSTREAM_SECONDS, _listed(traffic, TRAFFIC)).observe(time.perf_counter() - began_at)


def exposition(accept: str) -> tuple[bytes, str]:
    """Return the numbers of all workers, and their content type, in the format that an Accept header asks for."""
    try:
        encode, content_type = choose_encoder(accept)
    except TypeError:
        # A version that is no number.
        encode, content_type = choose_encoder("")
    return encode(_numbers()), content_type


def _numbers() -> CollectorRegistry:
    """Return what all workers of this server have counted; what this process has, where it is no worker."""
    if _folder is None:
        return _registry
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=str(_folder))  # type: ignore[no-untyped-call]
    return registry


def _listed(word: str, words: frozenset[str]) -> str:
    return word if word in words else OTHER


class _Nowhere:
    """Takes the place of a counter that there is no room for."""

    def inc(self, amount: float = 1) -> None:
        pass

    observe = set = inc


@cache
def _child(metric: Any, *labels: str) -> Any:
    # Kept, because finding it anew costs as much as the counting.
    if not _has_room:
        return _Nowhere()
    try:
        return metric.labels(*labels)
    except Exception:
        # The first use of a label writes to disk; no call fails for it.
        log.exception("call_not_counted")
        return _Nowhere()
