"""Turn MLflow's answer into the portal's: stream it, harden it, and make its errors readable; sends nothing."""

import json
from typing import Any

import structlog
import urllib3
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse

from mlflow_proxy import headers, upstream
from mlflow_proxy.exceptions import UpstreamGarbledError, UpstreamRejectedError
from mlflow_proxy.routes import Route

log = structlog.get_logger(__name__)

MAXIMUM_ERROR_BYTES = 64 * 1024
MAXIMUM_SERVER_INFO_BYTES = 64 * 1024
NOT_MODIFIED = 304
# MLflow leaves an empty list out of its JSON and answers ``{}``, which people read as a failure.
EMPTY_OBJECT_LENGTH = "2"
CODES_BY_STATUS = {
    400: "BAD_REQUEST",
    403: "PERMISSION_DENIED",
    404: "ENDPOINT_NOT_FOUND",
    405: "BAD_REQUEST",
    409: "RESOURCE_CONFLICT",
    413: "BAD_REQUEST",
    429: "REQUEST_LIMIT_EXCEEDED",
    503: "TEMPORARILY_UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
# What boto3 says inside MLflow's 500 when an object is not there (botocore ClientError).
MISSING_OBJECT_SIGNS = ("(404) when calling the HeadObject", "(NoSuchKey)", "(404) when calling the GetObject")


def relay(response: urllib3.BaseHTTPResponse, route: Route) -> HttpResponseBase:
    """Return the reply for an answer whose body is unread; consumes or closes it on every path."""
    try:
        if response.status >= 400:
            return _readable_error(response, route)
        if 300 <= response.status != NOT_MODIFIED:
            # A redirect would hand the caller an address of the inside, or its body to another method.
            raise UpstreamGarbledError(reason="UPSTREAM_REDIRECTED")
        if route.is_server_info:
            return _server_info(response)
        if route.is_listing and response.headers.get("Content-Length") == EMPTY_OBJECT_LENGTH:
            upstream.discard(response)
            return _json({"files": []})
        told = headers.inbound(response.headers.items())
    except BaseException:
        upstream.discard(response)
        raise
    reply = StreamingHttpResponse(upstream.stream(response), status=response.status)
    # Django fills in text/html where MLflow said nothing.
    del reply["Content-Type"]
    for name, value in told.items():
        reply[name] = value
    return reply


def error_body(status: int, error_code: str, reason: str, message: str, **facts: Any) -> HttpResponse:
    """Return MLflow's error JSON with the portal's own words beside it; None among the facts is left out."""
    document = {"error_code": error_code, "reason": reason, "message": message, "detail": message, **facts}
    return _json(document, status)


def _server_info(response: urllib3.BaseHTTPResponse) -> HttpResponse:
    """Say that the portal carries the bytes: told otherwise, clients go to the store, which they may not reach."""
    try:
        facts = json.loads(upstream.read(response, MAXIMUM_SERVER_INFO_BYTES))
        facts |= {"multipart_uploads_enabled": False, "multipart_downloads_enabled": False}
    except (ValueError, TypeError):
        raise UpstreamGarbledError() from None
    return _json(facts)


def _readable_error(response: urllib3.BaseHTTPResponse, route: Route) -> HttpResponse:
    is_plain_text = response.headers.get("Content-Type", "").startswith("text/plain")
    raw = upstream.read(response, MAXIMUM_ERROR_BYTES)
    if response.status == 403 and is_plain_text and b"Invalid Host header" in raw:
        log.error(
            "upstream_rejected", reason="UPSTREAM_HOST_REJECTED", hint="add the netloc to MLflow's --allowed-hosts"
        )
        raise UpstreamRejectedError(reason="UPSTREAM_HOST_REJECTED")
    if response.status == 401:
        # The caller's key is good: a 401 passed on would send people to ask for a new one.
        log.error("upstream_rejected", reason="UPSTREAM_DEMANDS_LOGIN", hint="run MLflow without its own auth")
        raise UpstreamRejectedError(reason="UPSTREAM_DEMANDS_LOGIN")
    document = _parse_object(raw)
    code, message = document.get("error_code"), document.get("message") or document.get("detail")
    status = response.status
    if route.is_artifact and status == 500 and any(sign in str(message) for sign in MISSING_OBJECT_SIGNS):
        # A client repeats a 500 for four minutes, and probes for files that need not exist.
        return error_body(404, "RESOURCE_DOES_NOT_EXIST", "ARTIFACT_MISSING", "There is no such artifact.")
    if isinstance(code, str) and isinstance(message, str):
        return error_body(status, code, "UPSTREAM_ANSWERED", message)
    sentence = message if isinstance(message, str) else f"MLflow answered with status {status} and no explanation."
    return error_body(status, CODES_BY_STATUS.get(status, "INTERNAL_ERROR"), "UPSTREAM_ANSWERED", sentence)


def _json(document: dict[str, Any], status: int = 200) -> HttpResponse:
    return HttpResponse(
        json.dumps(document), status=status, headers={"Content-Type": "application/json"} | headers.HARDENING
    )


def _parse_object(raw: bytes) -> dict[str, Any]:
    try:
        document = json.loads(raw)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
