"""Puts the request id on every reply, and the caller's trace on every line of the log; decides nothing."""

from collections.abc import Callable

import structlog
from django.http import HttpRequest, HttpResponse

from mlflow_proxy import headers


class RequestIdHeaderMiddleware:
    """Stands inside django-structlog's middleware, which makes the id and binds it to the log."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if trace_id := headers.trace_id(request.headers):
            structlog.contextvars.bind_contextvars(trace_id=trace_id)
        response = self.get_response(request)
        response["X-Request-ID"] = structlog.contextvars.get_contextvars().get("request_id", "")
        return response
