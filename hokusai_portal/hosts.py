"""Middleware of hosts: a request's host decides which addresses and sessions there are; judges no caller."""

from collections.abc import Callable

from django.conf import settings
from django.db import Error as DatabaseFault
from django.http import HttpRequest, HttpResponse

from apikeys.sessions import UI_HOST_MARK
from mlflow_proxy import refusals

# Load balancers, orchestrators and scrapers ask a replica by its address. None of these replies depends on the host.
ASKED_BY_ADDRESS = frozenset({"/health", "/live", "/ready", "/metrics"})


class HostsMiddleware:
    """Keeps the two hosts apart, where MLflow's interface has one of its own.

    Script in the interface's pages could act as its user there. So its host has few addresses, none of them the
    admin's, and a session counts on the host where it began alone. Stands right after the session's middleware.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if settings.HOKUSAI_UI_HOST:
            is_ui = request.get_host().lower() == settings.HOKUSAI_UI_HOST
            if is_ui:
                request.urlconf = "hokusai_portal.ui_urls"
            try:
                if settings.SESSION_COOKIE_NAME in request.COOKIES and is_ui != (UI_HOST_MARK in request.session):
                    request.session = type(request.session)()
            except DatabaseFault as error:
                # Where a session began is not known, and unknown is not unauthorised.
                return refusals.render(error)
        return self.get_response(request)


class ProbeHostMiddleware:
    """Takes the ``Host`` of a probe for one of ours; stands before everything that asks for the host.

    Whoever names the interface's host means it, and finds there what it has.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        own = settings.ALLOWED_HOSTS[0].removeprefix(".")
        named = request.META.get("HTTP_HOST", "").lower()
        is_ui = named != "" and named == settings.HOKUSAI_UI_HOST
        if request.path_info in ASKED_BY_ADDRESS and own != "*" and not is_ui:
            request.META["HTTP_HOST"] = own
        return self.get_response(request)
