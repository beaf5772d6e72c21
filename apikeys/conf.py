"""The app's typed window on Django's settings; reads them on every access and stores nothing."""

from django.conf import settings

from apikeys import keys

ENVIRONMENT_WORDS = {"production": "live", "test": "test", "development": "dev"}


def peppers() -> dict[int, bytes]:
    """Return the configured peppers by number; the highest number makes new digests."""
    value: dict[int, bytes] = settings.HOKUSAI_KEY_PEPPERS
    return value


def key_environment(word: str) -> str:
    """Return the key's environment word for either spelling; raises ValueError for an unknown one."""
    short = ENVIRONMENT_WORDS.get(word, word)
    if short not in keys.ENVIRONMENTS:
        raise ValueError(f"environment must be one of {', '.join(keys.ENVIRONMENTS)}, not {word!r}")
    return short


def default_days() -> int:
    days: int = settings.HOKUSAI_KEY_DEFAULT_DAYS
    return days


def maximum_days() -> int:
    days: int = settings.HOKUSAI_KEY_MAX_DAYS
    return days


def redis_url() -> str:
    url: str = settings.HOKUSAI_REDIS_URL
    return url


def rate_limit_per_hour() -> int:
    limit: int = settings.HOKUSAI_RATE_LIMIT_PER_HOUR
    return limit


def key_concurrency() -> int:
    """Return how many calls of one key one worker serves at once."""
    limit: int = settings.HOKUSAI_KEY_CONCURRENCY
    return limit


def trusted_proxies() -> tuple[str, ...]:
    return tuple(settings.HOKUSAI_TRUSTED_PROXIES)


def usage_flush_seconds() -> float:
    seconds: float = settings.HOKUSAI_USAGE_FLUSH_SECONDS
    return seconds


def has_mail_server() -> bool:
    return "default" in settings.MAILERS


def webhook_networks() -> list[str]:
    """Return the networks that webhooks may lead to although they are not public."""
    networks: list[str] = settings.HOKUSAI_WEBHOOK_NETWORKS
    return networks


def authorities() -> str:
    """Return the file of authorities that a client here trusts, empty for the system's."""
    environment: dict[str, str] = settings.HOKUSAI_CLIENT_ENVIRONMENT
    return environment.get("REQUESTS_CA_BUNDLE") or environment.get("SSL_CERT_FILE") or ""


def public_url() -> str:
    """Return the address that people type, empty where the portal is not told."""
    url: str = settings.HOKUSAI_PUBLIC_URL
    return url


def tracking_uri() -> str:
    """Return what clients of the portal set as MLFLOW_TRACKING_URI, empty where the portal is not told its address."""
    uri: str = settings.HOKUSAI_TRACKING_URI
    return uri


def api_key() -> str:
    """Return the key that commands ask about, from HOKUSAI_API_KEY; empty when unset."""
    key: str = settings.HOKUSAI_API_KEY
    return key
