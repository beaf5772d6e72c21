"""One health question each, answered as a Probe; asks MLflow through the client that the traffic uses.

A probe never raises. ``reason`` is a closed word for everybody; ``detail`` and ``hint`` may name addresses and are
for staff and ``storage:read`` alone.
"""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from django.db import Error as DatabaseFault
from django.db import connection

from mlflow_proxy import conf, upstream
from mlflow_proxy.artifacts import stores
from mlflow_proxy.exceptions import ProxyError, StoreRefusedError, StoreUnavailableError
from mlflow_proxy.routes import MLFLOW_SERIES

log = structlog.get_logger(__name__)

PROBE_SECONDS = 3.0
RECENT_SECONDS = 1.0
STALE_SECONDS = 10.0
STORE_SECONDS = 15.0
_API_GET = "/api/2.0/mlflow/experiments/search?max_results=1"
_NATIVE_ARTIFACT = "/api/2.0/mlflow-artifacts/artifacts/hokusai-portal-layout-probe"

Outcome = tuple[str, str, str]
PASSED: Outcome = ("", "", "")


@dataclass(frozen=True, slots=True)
class Probe:
    """An answer: ``reason`` is empty when it passed; latency in milliseconds."""

    name: str
    passed: bool
    is_critical: bool
    latency_ms: float
    reason: str = ""
    detail: str = ""
    hint: str = ""


def probe_database() -> Probe:
    """Ask whether the portal's database answers a query."""
    return _timed("database", _ask_database)


def probe_mlflow() -> Probe:
    """Ask MLflow's API with the Host that the traffic carries; its own /health is exempt from that check."""
    return _timed("mlflow", _ask_mlflow)


def probe_layout() -> Probe:
    """Ask whether version and paths are those the portal knows, so that uploads take the streaming route."""
    return _timed("mlflow_layout", _ask_layout)


def probe_artifact_store() -> Probe:
    """Ask whether the artifact store lists; not critical: metadata is served without it."""
    return _timed("artifact_store", _ask_artifact_store, is_critical=False)


def probe_all() -> list[Probe]:
    """Answer every question of readiness, in order."""
    return [probe_database(), probe_mlflow(), probe_layout(), *store_watch.get()]


class RecentAnswers:
    """Answers at most RECENT_SECONDS old, asked by one thread at a time: anybody may ask, and MLflow may be slow."""

    def __init__(self) -> None:
        self._asking = threading.Lock()
        self._answers: list[Probe] = []
        self._asked_at = -STALE_SECONDS

    def get(self) -> list[Probe]:
        # Whoever comes while another asks takes the last answer, unless it is from another time or there is none.
        is_stale = time.monotonic() - self._asked_at >= STALE_SECONDS
        if not self._asking.acquire(blocking=is_stale):
            return self._answers
        try:
            if time.monotonic() - self._asked_at >= RECENT_SECONDS:
                self._answers = probe_all()
                self._asked_at = time.monotonic()
            return self._answers
        finally:
            self._asking.release()


class StoreWatch:
    """The store's last answer, asked by a thread of its own: a store that hangs does not hold up readiness."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asking: threading.Thread | None = None
        self._asked_at = -STORE_SECONDS
        self._answer: Probe | None = None

    def get(self) -> list[Probe]:
        if not conf.is_direct():
            return []
        with self._lock:
            is_due = time.monotonic() - self._asked_at >= STORE_SECONDS
            if is_due and (self._asking is None or not self._asking.is_alive()):
                self._asked_at = time.monotonic()
                self._asking = threading.Thread(target=self._ask, name="store-watch", daemon=True)
                self._asking.start()
            asking = self._asking
        if asking is not None:
            asking.join(PROBE_SECONDS)
            if asking.is_alive():
                hint = "See whether the store at HOKUSAI_ARTIFACT_DESTINATION can be reached from here."
                return [
                    Probe("artifact_store", False, False, PROBE_SECONDS * 1000, "STORE_UNAVAILABLE", "no answer", hint)
                ]
        return [self._answer] if self._answer else []

    def _ask(self) -> None:
        self._answer = probe_artifact_store()


recent_answers, store_watch = RecentAnswers(), StoreWatch()


def verify_layout_when_up(pause_seconds: float = 2.0) -> threading.Thread:
    """Start a thread that waits until MLflow answers, then logs once whether its layout is the one the portal knows."""

    def watch() -> None:
        while (answer := probe_layout()).reason in {"UPSTREAM_REFUSED", "UPSTREAM_TIMED_OUT"}:
            time.sleep(pause_seconds)
        if answer.passed:
            log.info("mlflow_layout_verified", series=MLFLOW_SERIES)
        else:
            log.error("mlflow_layout_unknown", reason=answer.reason, detail=answer.detail, hint=answer.hint)

    thread = threading.Thread(target=watch, name="layout-watch", daemon=True)
    thread.start()
    return thread


def _timed(name: str, ask: Callable[[], Outcome], *, is_critical: bool = True) -> Probe:
    started = time.perf_counter()
    try:
        reason, detail, hint = ask()
    except (StoreRefusedError, StoreUnavailableError) as error:
        reason, detail, hint = error.reason, str(error), error.hint or "Run manage.py check_storage: it says more."
    except ProxyError as error:
        reason, detail, hint = error.reason, str(error), "See whether MLflow runs at MLFLOW_SERVER_URL."
    except DatabaseFault as error:
        reason, detail, hint = "DATABASE_UNAVAILABLE", type(error).__name__, "See DATABASE_URL and the database's log."
    latency = round((time.perf_counter() - started) * 1000, 1)
    return Probe(name, not reason, is_critical, latency, reason, detail, hint)


def _ask_database() -> Outcome:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        cursor.fetchone()
    return PASSED


def _ask_mlflow() -> Outcome:
    status, body = _get(conf.static_prefix() + _API_GET)
    if status == 403:
        hint = f"Start MLflow with --allowed-hosts that names {conf.upstream().netloc}."
        return "UPSTREAM_HOST_REJECTED", body[:200].decode(errors="replace"), hint
    if status != 200:
        hint = f"See MLFLOW_STATIC_PREFIX ({conf.static_prefix() or 'empty'}) and MLflow's log."
        return "UPSTREAM_ANSWERED_ERROR", f"status {status}", hint
    return PASSED


def _ask_layout() -> Outcome:
    status, body = _get(f"{conf.static_prefix()}/version")
    version = body[:40].decode(errors="replace").strip()
    if status != 200 or not version.startswith(f"{MLFLOW_SERIES}."):
        hint = f"Run MLflow {MLFLOW_SERIES}: other versions serve artifacts elsewhere."
        return "UPSTREAM_VERSION_UNKNOWN", f"status {status}, version {version!r}", hint
    status, body = _get(_NATIVE_ARTIFACT)
    # The native router says that the file is missing, in MLflow's words; FastAPI says that the route is.
    if status == 404 and "error_code" not in _object(body):
        return (
            "UPSTREAM_LAYOUT_UNKNOWN",
            "no native artifact route",
            "Start MLflow under uvicorn, with --serve-artifacts.",
        )
    return PASSED


def _ask_artifact_store() -> Outcome:
    next(stores.current().probe())
    return PASSED


def _get(target: str) -> tuple[int, bytes]:
    headers = {"Host": conf.upstream().netloc, "X-Forwarded-For": "unknown", "Accept-Encoding": "identity"}
    response = upstream.send("GET", target, headers, timeout=PROBE_SECONDS)
    return response.status, upstream.read(response, 64 * 1024)


def _object(body: bytes) -> dict[str, object]:
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
