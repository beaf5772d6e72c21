"""Gives every request its id and its trace, and writes the one line that says how it ended; decides nothing."""

import logging
import secrets
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import structlog
from django.core.signals import got_request_exception
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse

from apikeys.fields import Fields
from hokusai_portal.hosts import ASKED_BY_ADDRESS
from mlflow_proxy import headers

log = structlog.get_logger(__name__)


class RequestLogMiddleware:
    """Binds the id to the log and puts it on the reply; outermost, so that nothing happens outside of a request.

    The line is written once the last byte is sent: no caller waits for it, and it tells of a reply that was sent.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        # What a reply that was never closed has left in this thread.
        structlog.contextvars.clear_contextvars()
        request_id = secrets.token_hex(16)
        structlog.contextvars.bind_contextvars(request_id=request_id)
        if trace_id := headers.trace_id(Fields(request.META)):
            structlog.contextvars.bind_contextvars(trace_id=trace_id)
        response = self.get_response(request)
        response["X-Request-ID"] = request_id
        if isinstance(response, StreamingHttpResponse):
            response.streaming_content = _told(response.streaming_content)
        # Django runs these with the response's close, also when the caller leaves in the middle.
        response._resource_closers.append(lambda: _finish(request, response))  # type: ignore[attr-defined]  # noqa: SLF001
        return response


def _finish(request: HttpRequest, response: HttpResponse) -> None:
    if not hasattr(request, "has_failed"):
        # A probe that says no is an answer.
        is_fault = response.status_code >= 500 and request.path not in ASKED_BY_ADDRESS
        level = logging.ERROR if is_fault else logging.INFO
        log.log(level, "request_finished", code=response.status_code, request=_line(request))
    structlog.contextvars.clear_contextvars()


def _told(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Hand on what streams; where it breaks off, the trace belongs to the request's other lines."""
    try:
        yield from pieces
    except Exception:
        log.exception("streaming_failed")
        raise


def _fail(request: HttpRequest, **signal: Any) -> None:
    """Log what no view has handled, with its trace, in the place of the line of a finished request."""
    del signal
    request.has_failed = True  # type: ignore[attr-defined]
    log.error("request_failed", code=500, request=_line(request), exc_info=sys.exception())


def _line(request: HttpRequest) -> str:
    return f"{request.method} {request.get_full_path()}"


got_request_exception.connect(_fail, dispatch_uid="hokusai_portal.middleware")
