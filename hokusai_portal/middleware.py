"""Puts the request id on every reply, and lets probes ask by address; holds no rule about callers."""

from collections.abc import Callable

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse

# Load balancers, orchestrators and scrapers ask a replica by its address. None of these replies depends on the host.
ASKED_BY_ADDRESS = frozenset({"/health", "/live", "/ready", "/metrics"})


class RequestIdHeaderMiddleware:
    """Stands inside django-structlog's middleware, which makes the id and binds it to the log."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response["X-Request-ID"] = structlog.contextvars.get_contextvars().get("request_id", "")
        return response


class ProbeHostMiddleware:
    """Takes the ``Host`` of a probe for one of ours; stands before everything that asks for the host."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        own = settings.ALLOWED_HOSTS[0].removeprefix(".")
        if request.path_info in ASKED_BY_ADDRESS and own != "*":
            request.META["HTTP_HOST"] = own
        return self.get_response(request)
