"""Does the artifact store do what transfers need, and is it the one that MLflow uses; leaves nothing behind."""

import time
import uuid
from collections.abc import Iterator

from mlflow_proxy import conf
from mlflow_proxy.artifacts import stores
from mlflow_proxy.exceptions import ArtifactMissingError, ProxyError
from mlflow_proxy.health import mlflow
from mlflow_proxy.health.answers import Outcome, Probe, ask, elapsed_ms, failed, named, passed, unknown

NAMES = {
    "list": "artifact_store",
    "write": "artifact_write",
    "read": "artifact_read",
    "range": "artifact_range",
    "multipart": "artifact_multipart",
    "delete": "artifact_delete",
}
TRANSFER_SECONDS = 10.0
NOT_SENT = {"UPSTREAM_REFUSED", "UPSTREAM_NAME_UNKNOWN", "UPSTREAM_UNREACHABLE", "UPSTREAM_ARTIFACTS_OFF"}


def step_names() -> tuple[str, ...]:
    """Return the probes that ``walk`` answers when all goes well."""
    if not conf.artifact_destination():
        return ("mlflow_store",)
    return (*(NAMES[step] for step in stores.steps()), "mlflow_store", "same_destination")


def walk() -> Iterator[Probe]:
    if conf.artifact_destination():
        yield from walk_steps()
    yield from walk_both()


def walk_steps() -> Iterator[Probe]:
    """Yield a probe for each step of a transfer; the first that fails is the last."""
    steps = iter(stores.steps())
    started = time.perf_counter()
    try:
        for _ in stores.hurried().probe():
            yield Probe(NAMES[next(steps)], "passed", elapsed_ms(started))
            started = time.perf_counter()
    except ProxyError as error:
        yield Probe(NAMES[next(steps)], "failed", elapsed_ms(started), *named(error))


def ask_listing() -> Outcome:
    """Ask the first step alone: it writes nothing, so anybody may cause it."""
    next(stores.hurried().probe())
    return passed()


def walk_both() -> Iterator[Probe]:
    """Let MLflow store a canary, read it through MLflow and in the store, and let MLflow delete it."""
    path = f"{stores.CANARY_PREFIX}-{uuid.uuid4().hex}"
    stored = ask("mlflow_store", lambda: _store_through_mlflow(path), on_fault="unknown")
    yield stored
    try:
        if conf.artifact_destination() and stored.passed:
            yield ask("same_destination", lambda: _find_in_store(path), on_fault="unknown")
    finally:
        # Also after an upload without an answer: it may have arrived. Nobody asks how the clean-up went.
        if stored.reason not in NOT_SENT:
            ask("mlflow_store", lambda: _delete_through_mlflow(path))


def _store_through_mlflow(path: str) -> Outcome:
    target = f"{mlflow.ARTIFACTS}/{path}"
    status, body = mlflow.call("PUT", target, body=stores.CANARY, seconds=TRANSFER_SECONDS)
    if mlflow.is_off(status, body):
        return unknown("UPSTREAM_ARTIFACTS_OFF", "MLflow stores nothing", mlflow.SERVE_HINT)
    if status != 200:
        return _refused(f"status {status} to an upload")
    status, body = mlflow.call("GET", target, seconds=TRANSFER_SECONDS)
    return passed() if (status, body) == (200, stores.CANARY) else _refused(f"status {status} to a download")


def _refused(told: str) -> Outcome:
    hint = "See MLflow's log: its own role needs the same rights on the store as the portal's."
    return failed("UPSTREAM_STORE_FAILED", told, hint)


def _find_in_store(path: str) -> Outcome:
    try:
        found = b"".join(stores.hurried().fetch(path, stores.Conditions()).pieces)
    except ArtifactMissingError:
        found = b""
    if found == stores.CANARY:
        return passed("MLflow's canary is where the portal looks")
    hint = "Give HOKUSAI_ARTIFACT_DESTINATION of the portal and DEFAULT_ARTIFACT_ROOT of MLflow the same value."
    return failed("DESTINATIONS_DIFFER", f"MLflow's canary is not below {conf.artifact_destination()}", hint)


def _delete_through_mlflow(path: str) -> Outcome:
    # The native router has no DELETE.
    mlflow.call("DELETE", f"{conf.static_prefix()}{mlflow.ARTIFACTS}/{path}", seconds=TRANSFER_SECONDS)
    if conf.artifact_destination():
        stores.hurried().remove(path)
    return passed()
