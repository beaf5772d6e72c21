"""What each command asks of the portal, and what it says; knows no argument by its flag."""

from __future__ import annotations

import getpass
import os
import shlex
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from hokusai_portal_client.accounts import Account, checked_key, checked_url, public_id, read_account, store_account
from hokusai_portal_client.endings import NOT_BEGUN, PortalError
from hokusai_portal_client.output import clean, facts_of, moment, show, table, warn
from hokusai_portal_client.portal import Portal

if TYPE_CHECKING:
    import argparse


def login(arguments: argparse.Namespace) -> None:
    is_person = sys.stdin.isatty()
    url = arguments.url or os.environ.get("HOKUSAI_PORTAL_URL", "")
    if not url and is_person:
        print("Address of the portal: ", end="", file=sys.stderr, flush=True)
        url = sys.stdin.readline()
    url = checked_url(url)
    account = Account(url, checked_key(getpass.getpass("API key: ") if is_person else sys.stdin.readline()))
    key = Portal(account, arguments).call("GET", "/api/v1/whoami")["key"]
    path = store_account(account)
    if os.environ.get("HOKUSAI_API_KEY"):
        warn("HOKUSAI_API_KEY is set, and wins over the key that was stored now.")
    told = f"Key {clean(key['key_id'])} of service {clean(key['service_id'])} is stored in {path}."
    show(arguments, {"url": url, "file": str(path), "key": key}, "", f'{told}\nNext: eval "$(hokusai-portal env)"')


def whoami(arguments: argparse.Namespace) -> None:
    document = connect(arguments).call("GET", "/api/v1/whoami")
    key = document["key"]
    title = f"Key {clean(key['key_id'])} of service {clean(key['service_id'])}, seen from {clean(document['address'])}"
    show(arguments, document, clean(key["key_id"]), f"{title}\n{facts_of(key)}")


def env(arguments: argparse.Namespace) -> None:
    account = read_account()
    variables = {"MLFLOW_TRACKING_URI": account.tracking_uri, "MLFLOW_TRACKING_TOKEN": account.key}
    exports = "\n".join(f"export {name}={shlex.quote(value)}" for name, value in variables.items())
    show(arguments, variables, exports, exports)


def list_keys(arguments: argparse.Namespace) -> None:
    portal, found = connect(arguments), []
    query: Any = {name: value for name in ("service", "status") if (value := getattr(arguments, name))}
    while query is not None:
        page = portal.call("GET", "/api/v1/keys", params=query)
        found += page["results"]
        # Of the next page's address its query alone: the key goes to no other host.
        query = urlsplit(page["next"]).query if page.get("next") else None
    words = ("key_id", "service_id", "name", "status")
    lines = [
        (*(clean(key[word]) for word in words), moment(key["expires_at"]), moment(key["last_used_at"])) for key in found
    ]
    text = table(("KEY", "SERVICE", "NAME", "STATUS", "EXPIRES", "LAST USED"), lines) if lines else "No keys."
    show(arguments, found, "\n".join(line[0] for line in lines), text)


def create_key(arguments: argparse.Namespace) -> None:
    asked = {
        "name": arguments.name,
        "service_id": arguments.service,
        "scopes": arguments.scope,
        "preset": arguments.preset,
        "expires_in_days": arguments.expires_in_days,
        "allowed_ips": arguments.allow_ip,
        "rate_limit_per_hour": arguments.rate_limit_per_hour,
        "note": arguments.note,
    }
    draft = {word: fact for word, fact in asked.items() if fact is not None}
    show_issued(arguments, connect(arguments).call("POST", "/api/v1/keys", json=draft))


def rotate_key(arguments: argparse.Namespace) -> None:
    if arguments.store and (arguments.key or os.environ.get("HOKUSAI_API_KEY")):
        raise PortalError("--store replaces the stored key: give no id, and unset HOKUSAI_API_KEY.", NOT_BEGUN)
    portal = connect(arguments)
    key_id = public_id(arguments.key or portal.account.key_id)
    asked = {} if arguments.grace_seconds is None else {"grace_seconds": arguments.grace_seconds}
    issued = portal.call("POST", f"/api/v1/keys/{key_id}/rotate", json=asked)
    if arguments.store:
        show_stored(arguments, issued, portal.account.url)
    else:
        show_issued(arguments, issued)


def show_stored(arguments: argparse.Namespace, key: dict[str, Any], url: str) -> None:
    """Put a new key in the place of the stored one; what cannot be stored is printed, or it would be lost."""
    try:
        path = store_account(Account(url, checked_key(key["secret"])))
    except (OSError, PortalError):
        warn("the new key could not be stored, and is printed instead.")
        show_issued(arguments, key)
        return
    told = f"Key {clean(key['key_id'])} is stored in {path}. The old one works until its grace ends."
    show(arguments, {word: fact for word, fact in key.items() if fact != key["secret"]}, "", told)


def revoke_key(arguments: argparse.Namespace) -> None:
    path = f"/api/v1/keys/{public_id(arguments.key)}/revoke"
    document = connect(arguments).call("POST", path, json={"reason": arguments.reason})
    show(arguments, document, "", f"Key {clean(document['key_id'])} is revoked, from its next request on.")


def show_issued(arguments: argparse.Namespace, key: dict[str, Any]) -> None:
    title = f"Key {clean(key['key_id'])} of service {clean(key['service_id'])}, shown this once:"
    text = f"{title}\n\n  {clean(key['secret'])}\n\n{facts_of(key)}\n\nNext: hokusai-portal login stores it."
    show(arguments, key, clean(key["secret"]), text)


def connect(arguments: argparse.Namespace) -> Portal:
    return Portal(read_account(), arguments)
