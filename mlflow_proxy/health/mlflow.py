"""Questions to MLflow, asked through the client and with the Host that the traffic uses; stores nothing there."""

import json
from collections.abc import Iterator
from contextlib import suppress

from mlflow_proxy import conf, upstream
from mlflow_proxy.exceptions import UpstreamError
from mlflow_proxy.health.answers import Outcome, Probe, ask, failed, passed, unknown
from mlflow_proxy.routes import MLFLOW_SERIES

PROBE_SECONDS = 3.0
MAXIMUM_BYTES = 64 * 1024
ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts"
_KNOWN_PREFIXES = ("", "/mlflow")
OFF_SIGN = b"serve-artifacts"
SERVE_HINT = "Start MLflow with --serve-artifacts, as Dockerfile.mlflow does."


def walk() -> Iterator[Probe]:
    reached = ask("mlflow", ask_api)
    yield reached
    if reached.passed:
        yield ask("mlflow_layout", ask_layout)
        yield ask("mlflow_artifacts", ask_artifacts)


def ask_api() -> Outcome:
    """Ask an API path: MLflow's own /health is exempt from its host check, so that it proves nothing."""
    status, body = call("GET", conf.static_prefix() + upstream.API_GET)
    if status == 200:
        return passed(conf.upstream().netloc)
    told = f"status {status}: {_excerpt(body)}"
    if status == 403 and b"host" in body.lower():
        hint = f"Start MLflow with --allowed-hosts that names {conf.upstream().netloc}."
        return failed("UPSTREAM_HOST_REJECTED", told, hint)
    if status == 401:
        return failed("UPSTREAM_DEMANDS_LOGIN", told, "Run MLflow without its own login: the portal is its door.")
    if parsed(body).get("reason") == "LOOP_DETECTED":
        return failed("LOOP_DETECTED", told, "MLFLOW_SERVER_URL leads back to the portal: name the MLflow server.")
    if status == 404 and (found := _other_prefix()) is not None:
        hint = f"Set MLFLOW_STATIC_PREFIX to {found or 'empty'}, or start MLflow with --static-prefix as it is here."
        return failed("UPSTREAM_PREFIX_WRONG", f"MLflow answers below {found or '/'} instead", hint)
    hint = f"See MLFLOW_STATIC_PREFIX ({conf.static_prefix() or 'empty'}) and MLflow's log."
    return failed("UPSTREAM_ANSWERED_ERROR", told, hint)


def ask_layout() -> Outcome:
    status, body = call("GET", f"{conf.static_prefix()}/version")
    version = body[:40].decode(errors="replace").strip()
    if status != 200 or not version.startswith(f"{MLFLOW_SERIES}."):
        hint = f"Run MLflow {MLFLOW_SERIES}: other versions serve artifacts elsewhere."
        return failed("UPSTREAM_VERSION_UNKNOWN", f"status {status}, version {version!r}", hint)
    status, body = call("GET", upstream.NATIVE_ARTIFACT)
    # The native router says that the file is missing, in MLflow's words; FastAPI says that the route is.
    if status == 404 and "error_code" not in parsed(body):
        return failed("UPSTREAM_LAYOUT_UNKNOWN", "no native artifact route", f"{SERVE_HINT} And under uvicorn.")
    return passed(f"MLflow {version}")


def ask_artifacts() -> Outcome:
    status, body = call("GET", upstream.NATIVE_ARTIFACT)
    if is_off(status, body):
        return failed("UPSTREAM_ARTIFACTS_OFF", _excerpt(body), SERVE_HINT)
    if status == 404 and "error_code" not in parsed(body):
        return unknown("UPSTREAM_LAYOUT_UNKNOWN", "no native artifact route", f"{SERVE_HINT} And under uvicorn.")
    return passed()


def is_off(status: int, body: bytes) -> bool:
    """Return whether MLflow says that it runs with --no-serve-artifacts."""
    return status == 503 and OFF_SIGN in body


def call(
    method: str, target: str, *, body: bytes | None = None, seconds: float = 0, limit: int = MAXIMUM_BYTES
) -> tuple[int, bytes]:
    """Return status and the first ``limit`` bytes of MLflow's answer; raises UpstreamError.

    Each wait ends after ``seconds``, by default PROBE_SECONDS.
    """
    return upstream.ask(method, target, body=body, seconds=seconds or PROBE_SECONDS, limit=limit)


def parsed(body: bytes) -> dict[str, object]:
    """Return the JSON object of a body, an empty one for anything else."""
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _other_prefix() -> str | None:
    for prefix in _KNOWN_PREFIXES:
        with suppress(UpstreamError):
            if prefix != conf.static_prefix() and call("GET", prefix + upstream.API_GET)[0] == 200:
                return prefix
    return None


def _excerpt(body: bytes) -> str:
    return " ".join(body[:200].decode(errors="replace").split()) or "nothing"
