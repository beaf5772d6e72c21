"""Turn MLflow's answer into the portal's: stream it, harden it, and make its errors readable; sends nothing."""

import json
from typing import Any

import structlog
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse

from mlflow_proxy import headers, upstream
from mlflow_proxy.connections import Response
from mlflow_proxy.exceptions import UpstreamGarbledError, UpstreamRejectedError
from mlflow_proxy.routes import Route

log = structlog.get_logger(__name__)

_JSON = {"Content-Type": "application/json"} | headers.HARDENING
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
    409: "ALREADY_EXISTS",
    413: "BAD_REQUEST",
    429: "REQUEST_LIMIT_EXCEEDED",
    503: "TEMPORARILY_UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
# Beside code and message MLflow tells its client these.
PASSED_ON = ("sqlstate", "error_class")
FALLBACK_CODES = {True: "BAD_REQUEST", False: "INTERNAL_ERROR"}
# MLflow passes on what the store answered to its own credentials, by status.
STORE_FAULT_SIGN = "Failed to list artifacts in "
STORE_REASONS = {401: "STORE_DENIED", 403: "STORE_DENIED", 404: "STORE_BUCKET_MISSING"}
# What boto3 says inside MLflow's 500 when an object is not there (botocore ClientError).
MISSING_OBJECT_SIGNS = ("(404) when calling the HeadObject", "(NoSuchKey)", "(404) when calling the GetObject")


def relay(response: Response, route: Route, *, is_presigning: bool = False) -> HttpResponseBase:
    """Return the reply for an answer whose body is unread; consumes or closes it on every path.

    ``is_presigning`` says whether the caller is told of multipart transfers past the portal.
    """
    try:
        if response.status >= 400:
            return _readable_error(response, route)
        if 300 <= response.status != NOT_MODIFIED:
            # A redirect would hand the caller an address of the inside, or its body to another method.
            raise UpstreamGarbledError(reason="UPSTREAM_REDIRECTED")
        if route.is_server_info:
            return _server_info(response, is_presigning=is_presigning)
        if route.is_listing and response.headers.get("Content-Length") == EMPTY_OBJECT_LENGTH:
            upstream.read(response, MAXIMUM_ERROR_BYTES)
            return json_reply({"files": []})
        told = headers.inbound(response.headers.items(), route)
    except BaseException:
        upstream.discard(response)
        raise
    # What fits into one piece is read whole: it needs no stream, and a cut is still an error that can be explained.
    reply: HttpResponseBase
    if int(told.get("Content-Length", upstream.PIECE + 1)) <= upstream.PIECE:
        reply = HttpResponse(upstream.read(response, upstream.PIECE), status=response.status, headers=told)
    else:
        reply = StreamingHttpResponse(upstream.Body(response), status=response.status, headers=told)
    if "Content-Type" not in told:
        # Django fills in text/html where MLflow said nothing.
        del reply["Content-Type"]
    return reply


class ErrorReply(HttpResponse):
    """A refusal or fault; ``reason`` is what it is counted by, which may be more than the caller is told."""

    reason = ""
    sentence = ""


def error_body(status: int, error_code: str, reason: str, message: str, **facts: Any) -> ErrorReply:
    """Return MLflow's error JSON with the portal's own words beside it."""
    document = {"error_code": error_code, "reason": reason, "message": message, "detail": message}
    document |= facts | {"request_id": request_id()}
    reply = ErrorReply(json.dumps(document), status=status, headers=_JSON)
    reply.reason, reply.sentence = reason, message
    return reply


def request_id() -> str:
    """Return the id of the request being served, as the log and X-Request-ID show it."""
    identifier: str = structlog.contextvars.get_contextvars().get("request_id", "")
    return identifier


def _server_info(response: Response, *, is_presigning: bool) -> HttpResponse:
    """Say who carries the bytes: told of multipart, clients go to the store, which not all of them may reach."""
    try:
        facts = json.loads(upstream.read(response, MAXIMUM_SERVER_INFO_BYTES))
        facts |= {"multipart_uploads_enabled": is_presigning, "multipart_downloads_enabled": is_presigning}
    except (ValueError, TypeError):
        raise UpstreamGarbledError() from None
    return json_reply(facts)


def _readable_error(response: Response, route: Route) -> HttpResponse:
    """Return MLflow's own error in JSON, or raise where the fault lies between MLflow and the portal or the store."""
    status = response.status
    is_plain_text = response.headers.get("Content-Type", "").startswith("text/plain")
    raw = upstream.read(response, MAXIMUM_ERROR_BYTES)
    document = _parse_object(raw)
    code, message = document.get("error_code"), _message(document)
    if status == 403 and is_plain_text and b"Invalid Host header" in raw:
        raise _rejected("UPSTREAM_HOST_REJECTED", "add the netloc of MLFLOW_SERVER_URL to MLflow's --allowed-hosts")
    if route.is_artifact and message.startswith(STORE_FAULT_SIGN):
        # Relayed as it is, a 401, 403 or 404 of the store would read as the caller's own mistake.
        raise _rejected(STORE_REASONS.get(status, "STORE_FAILED"), message)
    if status == 401:
        raise _rejected("UPSTREAM_DEMANDS_LOGIN", "run MLflow without its own auth: the portal is its door")
    if route.is_artifact and status == 500 and any(sign in message for sign in MISSING_OBJECT_SIGNS):
        # A client repeats a 500 for four minutes, and probes for files that need not exist.
        return error_body(404, "RESOURCE_DOES_NOT_EXIST", "ARTIFACT_MISSING", "There is no such artifact.")
    if route.is_artifact and status >= 500:
        log.error("artifact_failed", status=status, upstream=message or raw[:300].decode(errors="replace"))
        message = "MLflow failed on this artifact. Tell the portal's operators the request id."
    sentence = message or f"MLflow answered with status {status} and no explanation."
    word = code if isinstance(code, str) else CODES_BY_STATUS.get(status, FALLBACK_CODES[status < 500])
    more = {name: document[name] for name in PASSED_ON if name in document}
    return error_body(status, word, "UPSTREAM_ANSWERED", sentence, **more)


def _rejected(reason: str, hint: str) -> UpstreamRejectedError:
    log.error("upstream_rejected", reason=reason, hint=hint)
    return UpstreamRejectedError(reason=reason)


def _message(document: dict[str, Any]) -> str:
    """Return MLflow's sentence, or FastAPI's ``detail``, which is a list of complaints for a bad parameter."""
    told = document.get("message") or document.get("detail") or ""
    if isinstance(told, list):
        complaints = [item for item in told if isinstance(item, dict)]
        return "; ".join(f"{'.'.join(map(str, item.get('loc', ())))}: {item.get('msg')}" for item in complaints)
    return str(told)


def json_reply(document: dict[str, Any]) -> HttpResponse:
    return HttpResponse(json.dumps(document), headers=_JSON)


def _parse_object(raw: bytes) -> dict[str, Any]:
    try:
        document = json.loads(raw)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
