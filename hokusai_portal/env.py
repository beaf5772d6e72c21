"""The only reader of the environment; declares every variable once, typed, and decides nothing else.

``NAME_FILE`` works for every variable and names a file that holds the value (docker and ECS secrets).
All bad variables are reported together when the module is imported.
"""

import contextlib
import os
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dj_database_url
import dj_email_url
from environs import EnvValidationError, FileAwareEnv, validate

from apikeys.keys import parse_peppers
from hokusai_portal import formats

BASE_DIR = Path(__file__).resolve().parent.parent


class CollectingEnv(FileAwareEnv):
    """Reports a secret file that cannot be read with the other complaints, instead of stopping at it."""

    def _get_value(self, env_key: str, default: Any) -> Any:
        try:
            return super()._get_value(env_key, default)
        except ValueError as error:
            self._errors[env_key].append(str(error))
            return default


env = CollectingEnv(eager=False, strip_whitespace=True)


class UnusableEnvironmentError(SystemExit):
    """The process cannot start: carries one line per variable, each with its remedy."""


ENVIRONMENT: str = env.str(
    "HOKUSAI_ENVIRONMENT", "development", validate=validate.OneOf(["development", "test", "production"])
)
IS_PRODUCTION = ENVIRONMENT == "production"
DATA_DIR: Path = env.path("HOKUSAI_DATA_DIR", BASE_DIR / "var").resolve()
IS_DATA_DIR_MOVED = DATA_DIR != BASE_DIR / "var"
STATIC_DIR: Path = env.path("HOKUSAI_STATIC_DIR", DATA_DIR / "static").resolve()

SECRET_KEY: str = env.str("HOKUSAI_SECRET_KEY", "")
KEY_PEPPERS: str = env.str("HOKUSAI_KEY_PEPPERS", "")
DATABASE_URL: str = env.str("DATABASE_URL", "")
DATABASE_POOL_SIZE: int = env.int("HOKUSAI_DATABASE_POOL_SIZE", 8, validate=validate.Range(1, 200))

REDIS_URL: str = env.str("REDIS_URL", "", validate=formats.redis_url)
RATE_LIMIT_PER_HOUR: int = env.int("HOKUSAI_RATE_LIMIT_PER_HOUR", 100_000, validate=validate.Range(10, 1_000_000))

PUBLIC_URL: str = env.str("HOKUSAI_PUBLIC_URL", "", validate=formats.server_url)
UI_HOST: str = env.str("HOKUSAI_UI_HOST", "", validate=formats.host)
ALLOWED_HOSTS: list[str] = env.list("HOKUSAI_ALLOWED_HOSTS", [])
TRUSTED_PROXIES: list[str] = env.list("HOKUSAI_TRUSTED_PROXIES", [], validate=formats.networks)
CORS_ORIGINS: list[str] = env.list("HOKUSAI_CORS_ORIGINS", [])

PORTAL_HOST: str = env.str("PORTAL_HOST", "127.0.0.1")
PORTAL_PORT: int = env.int("PORTAL_PORT", 8000, validate=validate.Range(1, 65535))
MLFLOW_PORT: int = env.int("MLFLOW_PORT", 5000, validate=validate.Range(1, 65535))
# One for each server of a machine: two may share the data folder.
METRICS_DIR = DATA_DIR / "metrics" / str(PORTAL_PORT)
WEB_WORKERS: int = env.int("HOKUSAI_WEB_WORKERS", 2, validate=validate.Range(1, 64))
WEB_THREADS: int = env.int("HOKUSAI_WEB_THREADS", 16, validate=validate.Range(2, 512))
DRAIN_SECONDS: float = env.float(
    "HOKUSAI_DRAIN_SECONDS", 5.0 if IS_PRODUCTION else 0.0, validate=validate.Range(0, 300)
)
# Three quarters of a worker's threads: one key cannot hold them all.
KEY_CONCURRENCY: int = env.int("HOKUSAI_KEY_CONCURRENCY", 12, validate=validate.Range(1, 512))

MLFLOW_SERVER_URL: str = env.str("MLFLOW_SERVER_URL", f"http://127.0.0.1:{MLFLOW_PORT}", validate=formats.server_url)
MLFLOW_STATIC_PREFIX: str = env.str("MLFLOW_STATIC_PREFIX", "/mlflow", validate=formats.prefix)
MLFLOW_SERVE_ARTIFACTS: bool = env.bool("MLFLOW_SERVE_ARTIFACTS", True)
WORKSPACES: bool = env.bool("HOKUSAI_WORKSPACES", False)

ARTIFACT_DESTINATION: str = env.str("HOKUSAI_ARTIFACT_DESTINATION", "", validate=formats.destination)
# The name that the MLflow image knows it by.
DEFAULT_ARTIFACT_ROOT: str = env.str("DEFAULT_ARTIFACT_ROOT", "", validate=formats.destination)
ARTIFACT_MODE: str = env.str("HOKUSAI_ARTIFACT_MODE", "", validate=validate.OneOf(["", "direct", "proxy"]))
S3_ENDPOINT_URL: str = env.str("HOKUSAI_S3_ENDPOINT_URL", "", validate=formats.server_url)
S3_PUBLIC_ENDPOINT_URL: str = env.str("HOKUSAI_S3_PUBLIC_ENDPOINT_URL", "", validate=formats.server_url)
REDIRECT_MIN_BYTES: int = env.int("HOKUSAI_REDIRECT_MIN_BYTES", 64 * 1024**2, validate=validate.Range(0, 2**50))
MLFLOW_PYTHON: Path = env.path("HOKUSAI_MLFLOW_PYTHON", BASE_DIR / ".venv-mlflow" / "bin" / "python")

CONNECT_TIMEOUT: float = env.float("HOKUSAI_CONNECT_TIMEOUT", 2.0, validate=validate.Range(0.1, 60))
METADATA_TIMEOUT: float = env.float("HOKUSAI_METADATA_TIMEOUT", 60.0, validate=validate.Range(0.1, 600))
TRANSFER_TIMEOUT: float = env.float("HOKUSAI_TRANSFER_TIMEOUT", 300.0, validate=validate.Range(0.1, 3600))
BREAKERS: bool = env.bool("HOKUSAI_BREAKERS", True)
MAX_JSON_BYTES: int = env.int("HOKUSAI_MAX_JSON_BYTES", 8 * 1024**2, validate=validate.Range(1024, 256 * 1024**2))

KEY_DEFAULT_DAYS: int = env.int("HOKUSAI_KEY_DEFAULT_DAYS", 90, validate=validate.Range(1, 3650))
KEY_MAX_DAYS: int = env.int("HOKUSAI_KEY_MAX_DAYS", 365, validate=validate.Range(1, 3650))
USAGE_FLUSH_SECONDS: float = env.float("HOKUSAI_USAGE_FLUSH_SECONDS", 5.0, validate=validate.Range(0.05, 300))
STORAGE_CHECK_SECONDS: int = env.int("HOKUSAI_STORAGE_CHECK_SECONDS", 300, validate=validate.Range(30, 86400))
WEBHOOK_NETWORKS: list[str] = env.list("HOKUSAI_WEBHOOK_NETWORKS", [], validate=formats.networks)
ALERT_EMAILS: list[str] = env.list("HOKUSAI_ALERT_EMAILS", [], validate=formats.addresses)
ALERT_WEBHOOK_URL: str = env.str("HOKUSAI_ALERT_WEBHOOK_URL", "", validate=formats.webhook_url)
ALERT_WEBHOOK_SECRET: str = env.str("HOKUSAI_ALERT_WEBHOOK_SECRET", "")
SMTP_URL: str = env.str("HOKUSAI_SMTP_URL", "")
MAIL_FROM: str = env.str("HOKUSAI_MAIL_FROM", "")
LOG_LEVEL: str = env.str("HOKUSAI_LOG_LEVEL", "INFO", validate=validate.OneOf(["DEBUG", "INFO", "WARNING", "ERROR"]))

API_KEY: str = env.str("HOKUSAI_API_KEY", "")
ADMIN_USERNAME: str = env.str("DJANGO_SUPERUSER_USERNAME", "admin")
ADMIN_PASSWORD: str = env.str("DJANGO_SUPERUSER_PASSWORD", "")
ADMIN_EMAIL: str = env.str("DJANGO_SUPERUSER_EMAIL", "")

STACK_LOG_LEVEL = LOG_LEVEL if "HOKUSAI_LOG_LEVEL" in os.environ else "WARNING"
# What a stock client in a process of its own may inherit: how to find programs and whom to trust, no credential.
CLIENT_ENVIRONMENT = {
    name: os.environ[name]
    for name in ("PATH", "LANG", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "TMPDIR")
    if name in os.environ
}

# Names of the predecessor that must not linger unnoticed, with what took their place: hokusai_portal/checks.py warns.
_RENAMED = {
    "SECRET_KEY": "HOKUSAI_SECRET_KEY",
    **dict.fromkeys(("DB_HOST", "DB_PORT", "DB_NAME", "DB_USER", "DB_PASSWORD", "DATABASE_PASSWORD"), "DATABASE_URL"),
    **dict.fromkeys(("REDIS_HOST", "REDIS_PORT", "REDIS_AUTH_TOKEN", "REDIS_TLS_ENABLED"), "REDIS_URL"),
    **dict.fromkeys(("AUTH_SERVICE_URL", "AUTH_SERVICE_ID", "AUTH_SERVICE_TIMEOUT", "BCRYPT_ROUNDS"), ""),
    **dict.fromkeys(("MLFLOW_PROXY_DEBUG", "MLFLOW_MAX_RETRIES", "MLFLOW_FALLBACK_IP"), ""),
}
_GONE_PREFIXES = ("REGISTRY_ADMIN_", "MLFLOW_ADMIN_AUTH_", "MLFLOW_CB_", "DNS_", "SCANNER_FILTER_")
LEGACY_NAMES_SET = {
    name: _RENAMED.get(name, "") for name in sorted(os.environ) if name in _RENAMED or name.startswith(_GONE_PREFIXES)
}


def embedded_secret(name: str) -> str:
    """Return the secret kept in ``DATA_DIR/secrets/<name>``, made on first use; never called in production."""
    path = DATA_DIR / "secrets" / name
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = path.with_name(f"{name}.{os.getpid()}")
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_urlsafe(48))
        # A link is made whole or not at all: processes that start together agree on one secret.
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()
    return path.read_text().strip()


# Their values stay out of the complaint: each holds a secret.
def _pepper_complaint() -> tuple[str, str]:
    try:
        parse_peppers(KEY_PEPPERS) if KEY_PEPPERS else None
    except ValueError as error:
        return "HOKUSAI_KEY_PEPPERS", str(error)
    return "HOKUSAI_KEY_PEPPERS", ""


def _database_complaint() -> tuple[str, str]:
    is_readable = True
    try:
        is_readable = not DATABASE_URL or bool(dj_database_url.parse(DATABASE_URL)["NAME"])
    except ValueError:
        is_readable = False
    advice = "names no database; percent-encode special characters of the password, like %23 for #"
    return "DATABASE_URL", "" if is_readable else advice


def _smtp_complaint() -> tuple[str, str]:
    is_readable = True
    try:
        is_readable = not SMTP_URL or bool(mail_settings()["HOST"])
    except ValueError:
        is_readable = False
    return "HOKUSAI_SMTP_URL", "" if is_readable else "must look like submission://user:password@host:587"


def _ui_host_complaint() -> tuple[str, str]:
    complaint = ""
    if UI_HOST and not PUBLIC_URL:
        complaint = "is set, so HOKUSAI_PUBLIC_URL must say where the portal itself is"
    elif UI_HOST and urlsplit(PUBLIC_URL).hostname == urlsplit(f"//{UI_HOST}").hostname:
        complaint = "is the host of HOKUSAI_PUBLIC_URL; give the interface a name of its own"
    return "HOKUSAI_UI_HOST", complaint


def _complaints() -> tuple[tuple[str, str], ...]:
    return _pepper_complaint(), _database_complaint(), _smtp_complaint(), _ui_host_complaint()


def mail_settings() -> dict[str, Any]:
    """Return what HOKUSAI_SMTP_URL says, by Django's words without their prefix; raises ValueError for another URL."""
    if urlsplit(SMTP_URL).scheme not in {"smtp", "submission"}:
        raise ValueError("not a mail server")
    parsed: dict[str, Any] = dj_email_url.parse(SMTP_URL)
    return {name.removeprefix("EMAIL_"): value for name, value in parsed.items()}


def _alert_hints() -> list[str]:
    hints = []
    if ALERT_EMAILS and not SMTP_URL:
        hints.append("HOKUSAI_ALERT_EMAILS: needs a mail server; set HOKUSAI_SMTP_URL")
    if ALERT_WEBHOOK_URL and len(ALERT_WEBHOOK_SECRET) < 16:
        hints.append("HOKUSAI_ALERT_WEBHOOK_SECRET: is missing or short; set it to 16 or more random characters")
    return hints


def _hints() -> list[str]:
    hints = []
    try:
        env.seal()
    except EnvValidationError as error:
        by_name: Any = error.error_messages
        hints += [f"{name}: {' '.join(map(str, reasons))}" for name, reasons in by_name.items()]
    else:
        if KEY_DEFAULT_DAYS > KEY_MAX_DAYS:
            hints.append("HOKUSAI_KEY_DEFAULT_DAYS: is more than HOKUSAI_KEY_MAX_DAYS; lower it or raise the maximum")
    hints += _alert_hints()
    if ARTIFACT_DESTINATION and DEFAULT_ARTIFACT_ROOT and ARTIFACT_DESTINATION != DEFAULT_ARTIFACT_ROOT:
        hints.append("HOKUSAI_ARTIFACT_DESTINATION: differs from DEFAULT_ARTIFACT_ROOT; unset one of them")
    if ARTIFACT_MODE == "direct" and not (ARTIFACT_DESTINATION or DEFAULT_ARTIFACT_ROOT):
        hints.append("HOKUSAI_ARTIFACT_MODE: is direct, so HOKUSAI_ARTIFACT_DESTINATION must say where artifacts rest")
    if IS_PRODUCTION:
        required = {
            "HOKUSAI_SECRET_KEY": (SECRET_KEY, "50 or more random characters"),
            "HOKUSAI_KEY_PEPPERS": (KEY_PEPPERS, "1:<32 or more random characters>"),
            "DATABASE_URL": (DATABASE_URL, "postgres://user:password@host/portal"),
            "HOKUSAI_PUBLIC_URL": (PUBLIC_URL, "the address users type, like https://registry.example.org"),
        }
        hints += [f"{name}: is missing; set it to {hint}" for name, (value, hint) in required.items() if not value]
        if SECRET_KEY and len(SECRET_KEY) < 50:
            hints.append("HOKUSAI_SECRET_KEY: is too short; set it to 50 or more random characters")
    hints += [f"{name}: {complaint}" for name, complaint in _complaints() if complaint]
    return hints


if found := _hints():
    raise UnusableEnvironmentError("The portal cannot start:\n" + "\n".join(f"  {line}" for line in found))

ARTIFACT_DESTINATION = ARTIFACT_DESTINATION or DEFAULT_ARTIFACT_ROOT
ARTIFACT_MODE = ARTIFACT_MODE or ("direct" if ARTIFACT_DESTINATION else "proxy")
# As browsers send it.
UI_HOST = UI_HOST.lower().removesuffix(":443" if PUBLIC_URL.lower().startswith("https:") else ":80")
SECRET_KEY = SECRET_KEY or embedded_secret("secret_key")
KEY_PEPPERS = KEY_PEPPERS or f"1:{embedded_secret('key_pepper')}"


def child_environment(**changes: str) -> dict[str, str]:
    """Return this process's environment for a child, changed; without the variables that steer an MLflow client."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_TRACKING_")}
    return inherited | changes


def use_metrics_folder() -> None:
    """Make the folder that workers count into, and name it to prometheus-client, before that is imported."""
    try:
        METRICS_DIR.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        hint = f"HOKUSAI_DATA_DIR: is not writable ({error.strerror}); let the portal's user write to {DATA_DIR}"
        raise UnusableEnvironmentError(f"The portal cannot start:\n  {hint}") from None
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(METRICS_DIR)


def use_settings() -> None:
    """Name the settings module to Django, unless the environment names another."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hokusai_portal.settings")
