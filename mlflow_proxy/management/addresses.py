"""What commands make of the address that people give them; asks no network."""

from urllib.parse import urlsplit

from django.core.management.base import CommandError

from apikeys.management.base import NOT_BEGUN


def split_url(url: str) -> tuple[str, str]:
    """Return (portal, tracking URI) for either of the two."""
    parts = urlsplit(url.rstrip("/"))
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise CommandError(f"--url must look like https://registry.example.org, not {url!r}", returncode=NOT_BEGUN)
    portal = f"{parts.scheme}://{parts.netloc}"
    return portal, f"{portal}{parts.path or '/api/mlflow'}"
