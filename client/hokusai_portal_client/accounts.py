"""Which portal, and with which key: from the environment, or from a file that nobody else may read; calls no portal.

A key is never an argument, and goes to the portal that it was stored for and to no other.
"""

from __future__ import annotations

import json
import os
import re
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

from hokusai_portal_client.endings import NOT_BEGUN, PortalError
from hokusai_portal_client.output import warn

KEY = re.compile(r"hk_(?:live|test|dev)_[0-9A-Za-z]{52}")
PUBLIC_ID = re.compile(r"hk_(?:live|test|dev)_[0-9A-Za-z]{12}")
MOUNTS = ("/api/mlflow", "/mlflow", "")


@dataclass(frozen=True)
class Account:
    """A portal's address, without a path, and the key to use there."""

    url: str
    key: str

    def __repr__(self) -> str:
        return f"Account({self.url!r}, …)"

    @property
    def key_id(self) -> str:
        """The key's public part, which may be shown."""
        return PUBLIC_ID.match(self.key)[0]  # type: ignore[index]

    @property
    def tracking_uri(self) -> str:
        return f"{self.url}{MOUNTS[0]}"


def account_file() -> Path:
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "hokusai-portal" / "account.json"


def read_account() -> Account:
    """Return the account to use; raises PortalError. A stored key is used for the portal it was stored for alone."""
    url, key = os.environ.get("HOKUSAI_PORTAL_URL", ""), os.environ.get("HOKUSAI_API_KEY", "")
    stored = {} if url and key else stored_account()
    url = checked_url(url or stored.get("url", ""))
    if not key and url == stored.get("url"):
        key = stored["key"]
    if not key:
        raise PortalError(f"No key for {url}. Set HOKUSAI_API_KEY, or: hokusai-portal login", NOT_BEGUN)
    return Account(url, checked_key(key))


def stored_account() -> dict[str, str]:
    path = account_file()
    try:
        if os.name == "posix" and path.stat().st_mode & 0o077:
            raise PortalError(f"Others may read {path}. Replace the key, and: chmod 600 {path}", NOT_BEGUN)
        document = json.loads(path.read_text(encoding="utf-8"))
        return {"url": str(document["url"]), "key": str(document["key"])}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError):
        raise PortalError(f"{path} cannot be read. Make it anew: hokusai-portal login", NOT_BEGUN) from None


def store_account(account: Account) -> Path:
    """Write the account where this user alone can read it, as a whole or not at all."""
    path = account_file()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}")
    with suppress(FileNotFoundError):
        draft.unlink()
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump(asdict(account), file)
    draft.replace(path)
    return path


def checked_url(text: str) -> str:
    """Return a portal's address without a path; the tracking URI of MLflow's client will do, too."""
    if not text.strip():
        raise PortalError("Which portal? Set HOKUSAI_PORTAL_URL, or: hokusai-portal login", NOT_BEGUN)
    try:
        parts = urlsplit(text.strip().rstrip("/"))
        is_known = parts.scheme in {"http", "https"} and parts.path in MOUNTS and parts.port != 0
    except ValueError:
        is_known = False
    if not is_known or not parts.hostname or "@" in parts.netloc or parts.query or parts.fragment:
        raise PortalError("The portal's address must look like https://registry.example.org", NOT_BEGUN)
    if parts.scheme == "http" and parts.hostname not in {"127.0.0.1", "::1", "localhost"}:
        warn("this address is not https: whoever is on the way can read the key.")
    return f"{parts.scheme}://{parts.netloc}"


def checked_key(text: str) -> str:
    if not KEY.fullmatch(text.strip()):
        raise PortalError("That has not the shape of a key: hk_live_ and 52 letters or digits.", NOT_BEGUN)
    return text.strip()


def public_id(text: str) -> str:
    """Return a public id that is safe in a path; a whole key pasted by mistake is neither sent nor repeated."""
    if not PUBLIC_ID.fullmatch(text):
        raise PortalError("That is no public id: hk_live_ and 12 letters or digits, as keys list shows it.", NOT_BEGUN)
    return text
