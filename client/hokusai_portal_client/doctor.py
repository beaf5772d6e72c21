"""Walks from this machine to MLflow, hop by hop, and stops at the first that fails; reads, and changes nothing."""

from __future__ import annotations

import os
import socket
import ssl
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from requests.utils import get_netrc_auth

from hokusai_portal_client.accounts import MOUNTS, Account, read_account
from hokusai_portal_client.endings import DONE, FAILED, NOT_BEGUN, PortalError
from hokusai_portal_client.output import clean, show
from hokusai_portal_client.portal import CONNECT_SECONDS, Portal

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

SEARCH = "/api/mlflow/api/2.0/mlflow/experiments/search"
MARKS = {"passed": "✓", "failed": "✗", "unknown": "–"}
# By OpenSSL's numbers (x509_vfy.h), which stay while its sentences change.
CERTIFICATE_CURES = {
    10: "The certificate has expired: its owner must renew it.",
    18: "The certificate is self-signed: name it with --ca-bundle, or use one of an authority.",
    19: "The authority is not known here: name its file with --ca-bundle.",
    20: "The authority is not known here: name its file with --ca-bundle. Or the server does not send the whole chain.",
    62: "The certificate is for another name: is the address right?",
}
CURES = {
    "UNAUTHENTICATED": "Expired, revoked or of another portal: ask its service's owner for a new key, then log in.",
    "ADDRESS_REFUSED": "The key may be used from certain networks alone: issue one for the network of this machine.",
    "SCOPE_MISSING": "Ask for a key that holds the scope.",
    "ROUTE_UNKNOWN": "Something on the way changes paths: it must pass on /api/mlflow/ as it is.",
}
EXPORTS = 'Take those of this account: eval "$(hokusai-portal env)"'
BETWEEN = "Something stands between: see what answers at this address, and its log."
OTHERWISE = "The portal's operators find the call by its request id."


@dataclass(frozen=True)
class Hop:
    """One step of the way: passed, failed with a cure, or unknown where it could not be told."""

    name: str
    status: str
    detail: str
    hint: str


class HopFailedError(Exception):
    """A hop has failed, or with the status ``unknown`` could not be told; carries a cure."""

    def __init__(self, detail: str, hint: str, status: str = "failed") -> None:
        super().__init__(detail)
        self.hint, self.status = hint, status


def doctor(arguments: argparse.Namespace) -> int:
    """Walk and tell of each hop as it ends; returns the exit status."""
    hops = []
    for hop in Walk(arguments):
        hops.append(hop)
        if not (arguments.as_json or arguments.quiet):
            print("\n".join(_lines_of(hop)), flush=True)
    failed = next((hop for hop in hops if hop.status == "failed"), None)
    end = f"The first hop that failed: {failed.name}." if failed else "All good: this machine reaches MLflow."
    show(arguments, {"passed": failed is None, "hops": [asdict(hop) for hop in hops]}, "", end)
    return FAILED if failed else DONE


def _lines_of(hop: Hop) -> Iterator[str]:
    yield f"{MARKS[hop.status]} {hop.name:<24}  {hop.detail}".rstrip()
    if hop.hint:
        yield f"  {'':<24}  → {hop.hint}"


class Walk:
    """The way from this machine to MLflow; iterate to take it."""

    account: Account
    portal: Portal

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments = arguments

    def __iter__(self) -> Iterator[Hop]:
        for name, hop in self._hops():
            try:
                found = Hop(name, "passed", hop(), "")
            except HopFailedError as error:
                found = Hop(name, error.status, str(error), error.hint)
            except PortalError as error:
                found = Hop(name, "failed", str(error), _cure_of(error))
            yield found
            if found.status == "failed":
                return

    def _hops(self) -> Iterator[tuple[str, Callable[[], str]]]:
        yield "key is at hand", self.find_account
        # Behind a proxy, names and connections are the proxy's business.
        if not self.arguments.proxy:
            yield "address resolves", self.resolve
            yield "connection is taken", self.connect
            if self.account.url.startswith("https:"):
                yield "certificate is valid", self.handshake
        yield from (
            ("portal answers", self.answer),
            ("key is accepted", self.accept_key),
            ("key holds the scopes", self.hold_scopes),
            ("MLflow's variables fit", self.fit_variables),
            ("MLflow answers", self.search),
        )

    def find_account(self) -> str:
        self.account = read_account()
        self.portal = Portal(self.account, self.arguments)
        return f"{self.account.key_id} for {self.account.url}"

    def resolve(self) -> str:
        host, port = _host_and_port(self.account.url)
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise HopFailedError(f"{host}: {error.strerror}", "Correct the name, or its entry in the DNS.") from None
        return f"{host} is {', '.join(dict.fromkeys(str(address[0]) for *_, address in found))}"

    def connect(self) -> str:
        _, port = where = _host_and_port(self.account.url)
        try:
            with socket.create_connection(where, CONNECT_SECONDS) as connection:
                return f"{connection.getpeername()[0]} port {port}"
        except socket.timeout:
            hint = "Nothing answers: a firewall, or this network may not reach it. A proxy needs --proxy."
            raise HopFailedError(f"port {port} after {CONNECT_SECONDS} s", hint) from None
        except OSError as error:
            hint = "Nothing listens there: does the portal run, and is it this port?"
            raise HopFailedError(f"port {port}: {error.strerror}", hint) from None

    def handshake(self) -> str:
        where = _host_and_port(self.account.url)
        context = ssl.create_default_context(cafile=self.portal.authorities)
        try:
            with (
                socket.create_connection(where, CONNECT_SECONDS) as connection,
                context.wrap_socket(connection, server_hostname=where[0]) as secured,
            ):
                return f"{secured.version()}, until {(secured.getpeercert() or {})['notAfter']}"
        except ssl.SSLCertVerificationError as error:
            hint = CERTIFICATE_CURES.get(error.verify_code, "See the certificate of the server.")
            raise HopFailedError(error.verify_message, hint) from None
        except OSError as error:
            hint = "What listens there speaks no TLS, or none that is current. Is https meant?"
            raise HopFailedError(error.strerror or type(error).__name__, hint) from None

    def answer(self) -> str:
        document = self.portal.call("GET", "/health", is_known=False)
        if "version" not in document:
            raise HopFailedError("another server", "MLflow itself, perhaps. Use the portal's address.")
        return f"version {clean(document['version'])}"

    def accept_key(self) -> str:
        self.document = self.portal.call("GET", "/api/v1/whoami")
        key = self.document["key"]
        return f"service {clean(key['service_id'])}, seen from {clean(self.document['address'])}"

    def hold_scopes(self) -> str:
        needed = self.arguments.needs or ["mlflow:read"]
        missing = sorted(set(needed) - set(self.document["granted_scopes"]))
        if missing:
            raise HopFailedError(f"{' '.join(missing)} is missing", CURES["SCOPE_MISSING"])
        return " ".join(needed)

    def fit_variables(self) -> str:
        """Look at what MLflow's own client would take from this environment."""
        uri, token = os.environ.get("MLFLOW_TRACKING_URI", ""), os.environ.get("MLFLOW_TRACKING_TOKEN", "")
        if not uri:
            raise HopFailedError("MLFLOW_TRACKING_URI is not set", EXPORTS, "unknown")
        if uri.rstrip("/") not in {self.account.url + mount for mount in MOUNTS}:
            raise HopFailedError("MLFLOW_TRACKING_URI leads elsewhere, or ends otherwise", EXPORTS)
        if os.environ.get("MLFLOW_TRACKING_USERNAME") and os.environ.get("MLFLOW_TRACKING_PASSWORD"):
            hint = "MLflow's client would send these instead of the key: unset them."
            raise HopFailedError("MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD are set", hint)
        if token != self.account.key:
            raise HopFailedError(f"MLFLOW_TRACKING_TOKEN is {'another key' if token else 'not set'}", EXPORTS)
        if get_netrc_auth(self.account.url):
            hint = "MLflow's client would send it instead of the key: remove it, or: export NETRC=/dev/null"
            raise HopFailedError("netrc has an entry for this host", hint)
        return uri

    def search(self) -> str:
        document = self.portal.call("GET", SEARCH, params={"max_results": 1})
        if not isinstance(document.get("experiments", []), list):
            raise HopFailedError("no list of experiments", BETWEEN)
        return self.account.tracking_uri


def _cure_of(error: PortalError) -> str:
    if error.reason:
        return CURES.get(error.reason, f"docs/errors.md says what to do for {clean(error.reason)}. {OTHERWISE}")
    # Before the first call, the sentence says itself what to do.
    return "" if error.status == NOT_BEGUN else BETWEEN


def _host_and_port(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
