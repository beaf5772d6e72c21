"""The app's typed window on Django's settings; reads them on every access, and keeps no value of theirs."""

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from django.conf import settings

from apikeys import conf

# Browsers leave them out of an origin.
DEFAULT_PORTS = {"http": ":80", "https": ":443"}


class Upstream(NamedTuple):
    """Where MLflow is: ``netloc`` is also the Host that it must allow."""

    scheme: str
    host: str
    port: int
    netloc: str


def upstream() -> Upstream:
    return _upstream(settings.MLFLOW_SERVER_URL)


@lru_cache(maxsize=8)
def _upstream(url: str) -> Upstream:
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return Upstream(parts.scheme, parts.hostname or "", port, parts.netloc)


def static_prefix() -> str:
    prefix: str = settings.MLFLOW_STATIC_PREFIX
    return prefix


def is_serving_artifacts() -> bool:
    return bool(settings.MLFLOW_SERVE_ARTIFACTS)


def is_direct() -> bool:
    """Return whether the portal speaks the artifact protocol itself, instead of handing it on to MLflow."""
    return bool(settings.HOKUSAI_ARTIFACT_MODE == "direct")


def artifact_destination() -> str:
    """Return ``s3://bucket/prefix`` or the path of a folder; empty where the portal is not told."""
    destination: str = settings.HOKUSAI_ARTIFACT_DESTINATION
    return destination


def can_presign() -> bool:
    """Return whether the portal can sign addresses of the store: a folder has none."""
    return is_direct() and artifact_destination().startswith("s3://")


def public_store_endpoint() -> str:
    """Return the URL under which callers reach the S3 store; empty where it is the portal's own."""
    endpoint: str = settings.HOKUSAI_S3_PUBLIC_ENDPOINT_URL
    return endpoint


def redirect_min_bytes() -> int:
    return int(settings.HOKUSAI_REDIRECT_MIN_BYTES)


def has_workspaces() -> bool:
    return bool(settings.HOKUSAI_WORKSPACES)


def public_origin() -> str:
    """Return the origin of the address that users type, as browsers spell it; empty where none is set."""
    return _origin(settings.HOKUSAI_PUBLIC_URL)


def ui_host() -> str:
    """Return the Host of MLflow's web interface where it has one of its own, else an empty text."""
    host: str = settings.HOKUSAI_UI_HOST
    return host


def ui_origin() -> str:
    """Return the origin of MLflow's web interface; empty where it is wherever the portal was asked."""
    if not ui_host():
        return public_origin()
    scheme = urlsplit(settings.HOKUSAI_PUBLIC_URL).scheme or "http"
    return _origin(f"{scheme}://{ui_host()}")


def _origin(url: str) -> str:
    parts = urlsplit(url)
    netloc = parts.netloc.lower().removesuffix(DEFAULT_PORTS.get(parts.scheme, ":"))
    return f"{parts.scheme}://{netloc}" if netloc else ""


def connect_timeout() -> float:
    return float(settings.HOKUSAI_CONNECT_TIMEOUT)


def metadata_timeout() -> float:
    return float(settings.HOKUSAI_METADATA_TIMEOUT)


def transfer_timeout() -> float:
    return float(settings.HOKUSAI_TRANSFER_TIMEOUT)


def has_breakers() -> bool:
    return bool(settings.HOKUSAI_BREAKERS)


def breaker_crowd() -> int:
    """Return how many calls of one kind may wait for long before the portal asks: half of a worker's threads."""
    return max(1, int(settings.HOKUSAI_WEB_THREADS) // 2)


def max_json_bytes() -> int:
    return int(settings.HOKUSAI_MAX_JSON_BYTES)


def mlflow_python() -> Path:
    return Path(settings.HOKUSAI_MLFLOW_PYTHON)


def api_key() -> str:
    """Return the key that commands use as a client of a portal, from HOKUSAI_API_KEY; empty when unset."""
    key: str = settings.HOKUSAI_API_KEY
    return key


def client_environment() -> dict[str, str]:
    environment: dict[str, str] = settings.HOKUSAI_CLIENT_ENVIRONMENT
    return dict(environment)


def authorities() -> str | bool:
    """Return the file of authorities that a client here trusts, True for those of requests."""
    return conf.authorities() or True


def public_url() -> str:
    """Return the address that people type, empty where the portal is not told."""
    url: str = settings.HOKUSAI_PUBLIC_URL
    return url.rstrip("/")


def storage_check_seconds() -> int:
    return int(settings.HOKUSAI_STORAGE_CHECK_SECONDS)


def alert_emails() -> list[str]:
    addresses: list[str] = settings.HOKUSAI_ALERT_EMAILS
    return addresses


def alert_webhook_url() -> str:
    url: str = settings.HOKUSAI_ALERT_WEBHOOK_URL
    return url


def alert_webhook_secret() -> str:
    secret: str = settings.HOKUSAI_ALERT_WEBHOOK_SECRET
    return secret
