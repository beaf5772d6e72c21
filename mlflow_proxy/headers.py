"""Which headers cross the portal, in both directions; pure: one mapping becomes another.

Both directions are allow-lists: credentials, cookies, Origin, hop-by-hop, forwarded and X-MLFLOW-* headers of the
caller never reach MLflow, and cookies, CORS, CSP, Server and Location of MLflow never reach the caller.
"""

import re
from collections.abc import Iterable, Mapping

from mlflow_proxy.exceptions import AmbiguousTargetError, UpstreamGarbledError
from mlflow_proxy.routes import Route

HOP_HEADER = "X-Hokusai-Portal"
# W3C Trace Context: version, the trace's id, the caller's span, flags.
TRACE_HEADER = "Traceparent"
TRACE = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")

REQUEST_ALLOWED = (
    *("Accept", "Accept-Encoding", "Accept-Language", "Content-Type", "Content-Encoding", "User-Agent"),
    *("If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range", "Range"),
    "X-MLflow-Client-Version",
)
# What MLflow calls an experiment, a run or a model: in a path or a header it is one thing and nothing more.
ONE_ID = re.compile(r"[0-9A-Za-z_-]{1,64}")
WORKSPACE_HEADER = "X-MLFLOW-WORKSPACE"
# OTLP has no other place for its experiment and run: parameters of one route, not identity.
OTLP_PARAMETERS = ("X-MLflow-Experiment-Id", "X-MLflow-Run-Id")
REPLY_ALLOWED = (
    *("Content-Type", "Content-Length", "Content-Encoding", "Content-Language", "Content-Disposition"),
    *("Content-Range", "Accept-Ranges", "ETag", "Last-Modified"),
)
_REPLY_NAMES = {name.lower(): name for name in REPLY_ALLOWED}
HARDENING = {
    "Cache-Control": "private, no-store",
    "Vary": "Authorization, Cookie, Origin",
    "X-Content-Type-Options": "nosniff",
}
# Types that a browser would run in the portal's origin are handed over as bytes.
SCRIPTABLE = re.compile(
    r"\s*(text/(html|xml|javascript|xsl|css)|image/svg\+xml"
    r"|application/([\w.+-]*xml|(x-)?javascript|ecmascript|pdf))",
    re.IGNORECASE,
)
ARTIFACT_HARDENING = {
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
}
# RFC 9110 §5.5: no control character, and so no folded line, may stand in a value that is passed on.
FIELD_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


def outbound(
    received: Mapping[str, str],
    route: Route,
    *,
    host: str,
    address: str | None,
    scheme: str,
    request_id: str,
    workspace: str | None = None,
) -> dict[str, str]:
    """Return what MLflow is told: the allowed headers of the caller, and ours.

    ``address`` is the caller's, already judged; X-Forwarded-For is always set, because MLflow trusts a request
    without it as local when both share a machine.
    """
    allowed = REQUEST_ALLOWED + (OTLP_PARAMETERS if route.traffic == "stream" else ())
    sent = {name: received[name] for name in allowed if name in received}
    if any(ONE_ID.fullmatch(sent.get(name, "0")) is None for name in OTLP_PARAMETERS):
        raise AmbiguousTargetError("An OTLP experiment or run id is not one id.", reason="AMBIGUOUS_HEADER")
    if workspace is not None:
        # Never towards a server without workspaces: it answers 500, which clients repeat for minutes.
        sent[WORKSPACE_HEADER] = workspace
    # No word would mean any coding (RFC 9110 §12.5.3).
    sent.setdefault("Accept-Encoding", "identity")
    if trace_id(received):
        sent[TRACE_HEADER] = received[TRACE_HEADER]
    return sent | {
        "Host": host,
        "X-Forwarded-For": address or "unknown",
        "X-Forwarded-Proto": scheme,
        "X-Request-ID": request_id,
        HOP_HEADER: "1",
    }


def trace_id(received: Mapping[str, str]) -> str:
    """Return the id of the trace that a call belongs to, empty where the caller tells of none."""
    found = TRACE.fullmatch(received.get(TRACE_HEADER, ""))
    return found[1] if found else ""


def inbound(received: Iterable[tuple[str, str]], route: Route) -> dict[str, str]:
    """Return what the caller is told, harmless in a browser.

    Raises UpstreamGarbledError for a value that could split the reply.
    """
    told = {}
    for name, value in received:
        if (known := _REPLY_NAMES.get(name.lower())) is not None:
            if FIELD_VALUE.fullmatch(value) is None:
                raise UpstreamGarbledError()
            told[known] = value
    if route.is_artifact and route.traffic == "transfer":
        return told | _inert(told) | ARTIFACT_HARDENING | HARDENING
    return told | HARDENING


def _inert(told: Mapping[str, str]) -> dict[str, str]:
    disposition = told.get("Content-Disposition", "")
    is_attachment = disposition.split(";")[0].strip().lower() == "attachment"
    is_scriptable = SCRIPTABLE.match(told.get("Content-Type", "text/html")) is not None
    return ({} if is_attachment else {"Content-Disposition": "attachment"}) | (
        {"Content-Type": "application/octet-stream"} if is_scriptable else {}
    )
