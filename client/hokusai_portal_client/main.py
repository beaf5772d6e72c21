"""The arguments of hokusai-portal, and how it ends; asks nothing itself."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hokusai_portal_client import __version__, commands
from hokusai_portal_client.doctor import doctor
from hokusai_portal_client.endings import DONE, FAILED, NOT_BEGUN, PortalError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def main(words: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit status, or leaves with 2 for arguments that make no sense."""
    arguments = parser().parse_args(words)
    try:
        if "@" in arguments.proxy:
            raise PortalError("--proxy carries no password: other processes can read arguments.", NOT_BEGUN)
        if arguments.ca_bundle and not Path(arguments.ca_bundle).is_file():
            raise PortalError("--ca-bundle names no file.", NOT_BEGUN)
        return arguments.run(arguments) or DONE
    except PortalError as error:
        print(f"hokusai-portal: {error} {error.hint}".rstrip(), file=sys.stderr)
        return error.status
    except KeyError as error:
        print(f"hokusai-portal: The reply is not a portal's: it has no {error}.", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        return 130


def parser() -> argparse.ArgumentParser:
    """Return the parser; each command leaves its function in ``run``."""
    whole = argparse.ArgumentParser(prog="hokusai-portal", description="What an API key may do with a Hokusai Portal.")
    whole.add_argument("--version", action="version", version=__version__)
    below = whole.add_subparsers(metavar="COMMAND", required=True)
    login = _command(below, "login", commands.login, "store a key, read from a prompt or from standard input")
    login.add_argument("--url", help="the portal; else HOKUSAI_PORTAL_URL, else it is asked for")
    _command(below, "whoami", commands.whoami, "say whose key this is, and what it may do")
    _command(below, "env", commands.env, "print export lines for MLflow's client, with the key")
    walk = _command(below, "doctor", doctor, "walk from here to MLflow, and name the first hop that fails")
    told = "a scope that the key must hold (default: mlflow:read); may repeat"
    walk.add_argument("--needs", action="append", metavar="SCOPE", help=told)
    keys = below.add_parser("keys", help="list, create, rotate and revoke keys")
    _add_keys(keys.add_subparsers(metavar="COMMAND", required=True))
    return whole


def _add_keys(below: Any) -> None:
    listed = _command(below, "list", commands.list_keys, "list keys, newest first; secrets cannot be shown")
    listed.add_argument("--service", help="only this service's keys")
    listed.add_argument("--status", help="only keys in this condition: active, expiring, revoked, …")
    made = _command(below, "create", commands.create_key, "issue a key, and print it this once")
    made.add_argument("--name", required=True, help="what the key is for, as lists will show it")
    made.add_argument("--service", help="service id (default: that of the own key)")
    made.add_argument("--scope", action="append", metavar="SCOPE", help="what it may do; may repeat")
    made.add_argument("--preset", help="a set of scopes by name")
    made.add_argument("--expires-in-days", type=int, metavar="N", help="1 to the policy's maximum")
    made.add_argument("--allow-ip", action="append", metavar="CIDR", help="only from this network; may repeat")
    made.add_argument("--rate-limit-per-hour", type=int, metavar="N", help="calls an hour (default: policy)")
    made.add_argument("--note", help="what people should know of it")
    rotated = _command(
        below, "rotate", commands.rotate_key, "print a key's successor this once; the old one has a grace"
    )
    rotated.add_argument("key", nargs="?", help="public id (default: the own key)")
    rotated.add_argument(
        "--grace-seconds", type=int, metavar="N", help="how long the old key works on (default: a day)"
    )
    rotated.add_argument("--store", action="store_true", help="put the new key in the place of the stored one")
    revoked = _command(below, "revoke", commands.revoke_key, "end a key for good, effective on its next request")
    revoked.add_argument("key", help="public id, as keys list shows it")
    revoked.add_argument("--reason", required=True, help="why, for the audit trail")


def _command(into: Any, name: str, run: Callable[..., int | None], told: str) -> argparse.ArgumentParser:
    made: argparse.ArgumentParser = into.add_parser(name, help=told, description=f"{told[0].upper()}{told[1:]}.")
    made.set_defaults(run=run)
    how = made.add_mutually_exclusive_group()
    how.add_argument("--json", action="store_true", dest="as_json", help="print one JSON document")
    how.add_argument("--quiet", action="store_true", help="print the essential value alone")
    made.add_argument("--ca-bundle", default="", metavar="FILE", help="authorities to trust instead of the usual ones")
    made.add_argument("--proxy", default="", metavar="URL", help="go through this proxy; none is taken from elsewhere")
    return made
