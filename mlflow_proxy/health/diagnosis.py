"""What an unexpected reply on the client's way means, whose it is, and what to do about it; pure, and sends nothing.

A reply with a request id and a reason is the portal's. Anything else was said by what stands between.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from apikeys.redaction import redact_keys
from mlflow_proxy.health.answers import Outcome, failed

EXCERPT = 160
# For the portal's own reasons; others are in docs/errors.md.
CURES = {
    "UNAUTHENTICATED": "The key is not accepted: expired, revoked, or of another portal. The log line "
    "credential_refused says which. Issue one: manage.py issue_key --name doctor --preset operator",
    "SCOPE_MISSING": "Issue a key that holds the scope: manage.py issue_key --name doctor --preset operator",
    "ADDRESS_REFUSED": "The key may be used from certain networks alone. Is HOKUSAI_TRUSTED_PROXIES set?",
    "BAD_REQUEST": "The portal does not know this host name. Add it to HOKUSAI_ALLOWED_HOSTS.",
    "ROUTE_UNKNOWN": "The tracking URI is wrong: it ends in /api/mlflow.",
    "BODY_TOO_LARGE": "The portal's own limit, HOKUSAI_MAX_JSON_BYTES; artifacts are not under it.",
    "ARTIFACTS_DISABLED": "Set MLFLOW_SERVE_ARTIFACTS to true on the portal, and restart it.",
    "UPSTREAM_HOST_REJECTED": "Start MLflow with --allowed-hosts that names the host and port of MLFLOW_SERVER_URL.",
    "UPSTREAM_REFUSED": "MLflow is not running, or MLFLOW_SERVER_URL has another port.",
    "UPSTREAM_UNREACHABLE": "Look at security groups and firewalls between the portal and MLflow.",
    "UPSTREAM_NAME_UNKNOWN": "The host of MLFLOW_SERVER_URL has no address where the portal runs.",
    "UPSTREAM_ANSWERED": "MLflow refused. With 404 on artifacts: is it started with --serve-artifacts?",
    "STORE_DENIED": "The store refuses the portal. Its log and the page of storage health name the missing action.",
}
STORE_HINT = "The way is good, and the portal's store is not: the page of storage health names the cause and the cure."
LOGIN_HINT = "Something before the portal demands a login for API paths. Leave /api/ and /mlflow/ out of it."


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply in short: ``body`` is its beginning; ``sent`` bytes had gone out when it came."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    sent: int = 0

    @property
    def document(self) -> dict[str, Any]:
        try:
            found = json.loads(self.body)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def is_portals(self) -> bool:
        """Whether the portal itself says so, and not what stands before it."""
        return "reason" in self.document and "request_id" in self.document

    @property
    def is_page(self) -> bool:
        return self.headers.get("Content-Type", "").startswith("text/html")


def explain(reply: Reply, url: str) -> Outcome:
    """Return what went wrong, for a reply that is not the one hoped for."""
    if reply.is_portals:
        return _of_portal(reply)
    if 300 <= reply.status < 400:
        return _redirected(reply, url)
    if reply.is_page and reply.status in {200, 401}:
        return failed("LOGIN_PAGE", f"status {reply.status} with a web page instead of JSON", LOGIN_HINT)
    return _of_proxy(reply)


def _of_proxy(reply: Reply) -> Outcome:
    told = f"status {reply.status}, not from the portal: {excerpt(reply)}"
    match reply.status:
        case 413:
            hint = "A proxy before the portal limits bodies. Lift it for artifacts: client_max_body_size 0 in nginx."
            found = failed("PROXY_LIMIT", f"{told}, after {reply.sent:,} bytes", hint)
        case 403 if b"Invalid Host header" in reply.body:
            hint = "This address leads to MLflow itself, past the portal. Point it at the portal, and close that road."
            found = failed("NOT_THE_PORTAL", told, hint)
        case 403:
            hint = "A firewall or proxy before the portal refuses the call. Its log says which rule."
            found = failed("PROXY_REFUSED", told, hint)
        case 404:
            hint = "A proxy before the portal has no rule for this path. It must pass on /api/mlflow/ and the rest."
            found = failed("PROXY_ROUTE_MISSING", told, hint)
        case 502 | 503 | 504:
            hint = "The proxy does not reach the portal, or gives up too early: see its address for it, and timeouts."
            found = failed("PROXY_FAILED", told, hint)
        case _:
            hint = "See what answers there, and whether the address is the portal's."
            found = failed("NOT_THE_PORTAL", told, hint)
    return found


def excerpt(reply: Reply) -> str:
    # Somebody may send back what was sent. Redacted before it is cut: half a key has no shape to find it by.
    text = redact_keys(reply.body.decode(errors="replace"))
    return " ".join(text[:EXCERPT].split()) or "nothing"


def _of_portal(reply: Reply) -> Outcome:
    document = reply.document
    reason = str(document["reason"])
    message = str(document.get("message") or document.get("detail") or "")
    told = f"status {reply.status}, request id {document['request_id']}: {message}"
    # Words of the portal, documented where they are made.
    others = STORE_HINT if reason.startswith("STORE_") else f"docs/errors.md says what to do for {reason}."
    return Outcome("failed", reason, told, CURES.get(reason, others))


def _redirected(reply: Reply, url: str) -> Outcome:
    here, there = urlsplit(url), urlsplit(reply.headers.get("Location", ""))
    told = f"status {reply.status} to {there.scheme or here.scheme}://{there.netloc or here.netloc}{there.path}"
    if there.scheme == "https" and here.scheme == "http" and there.hostname == here.hostname:
        hint = "Use the https address: a redirect drops what was sent, and the key has gone out in clear. Replace it."
        return failed("REDIRECTED", told, hint)
    return failed("LOGIN_PAGE", told, LOGIN_HINT)
