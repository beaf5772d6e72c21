"""What a variable of the environment may look like; reads none, and knows nothing of another.

Each takes a value, or the entries of a list, and raises marshmallow.ValidationError with what is wanted, never with
the value: it may hold a secret.
"""

import ipaddress
import re
from urllib.parse import urlsplit

from marshmallow import ValidationError


def server_url(value: str) -> None:
    """Refuse what is no address of a server alone, like http://host:port."""
    try:
        parts = urlsplit(value)
        is_good = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_good = False
    # A password in it would end in logs and health pages; a path or query would be dropped in silence.
    is_bare = is_good and "@" not in parts.netloc and parts.path in {"", "/"} and not (parts.query or parts.fragment)
    if value and not is_bare:
        raise ValidationError("must look like http://host:port, without user, path or query")


def host(value: str) -> None:
    """Refuse what is no host name, with or without a port."""
    if value and not re.fullmatch(r"[A-Za-z0-9.-]+(:[1-9][0-9]{0,4})?", value):
        raise ValidationError("must be a host name, with a port where it is not the usual one, like mlflow.example.org")


def networks(values: list[str]) -> None:
    """Refuse a list with an entry that is no address or network."""
    for position, value in enumerate(values, start=1):
        try:
            ipaddress.ip_network(value)
        except ValueError:
            raise ValidationError(f"entry {position} is no address or network like 10.0.0.0/8") from None


def redis_url(value: str) -> None:
    """Refuse what is no address of a Redis server."""
    if value and not value.startswith(("redis://", "rediss://", "unix://")):
        raise ValidationError("must look like redis://host:6379/0, or rediss:// with TLS")


def webhook_url(value: str) -> None:
    """Refuse what is no address to post to, or holds a password."""
    try:
        parts = urlsplit(value)
        is_good = parts.scheme in {"http", "https"} and bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:
        is_good = False
    if value and not is_good:
        raise ValidationError("must look like https://host/path, without user and password")


def addresses(values: list[str]) -> None:
    """Refuse a list with an entry that is no mail address."""
    for position, value in enumerate(values, start=1):
        name, _, host = value.rpartition("@")
        if not name or not host or any(character.isspace() for character in value):
            raise ValidationError(f"entry {position} is no mail address")


def prefix(value: str) -> None:
    """Refuse what is no path below which a server serves."""
    if value and (not value.startswith("/") or value.endswith("/")):
        raise ValidationError("must be empty or look like /mlflow")


def destination(value: str) -> None:
    """Refuse what is neither a bucket with its prefix nor the absolute path of a folder."""
    parts = urlsplit(value)
    is_bucket = parts.scheme == "s3" and bool(parts.netloc) and not (parts.query or parts.fragment)
    if value and not is_bucket and not value.startswith("/"):
        raise ValidationError("must look like s3://bucket/prefix, or be the absolute path of a folder")
