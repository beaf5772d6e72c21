"""Middleware that spares calls of clients what pages and browsers need; judges no caller and knows no route."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase

from mlflow_proxy.views import MlflowProxyView

MOUNT: Final = "/api/mlflow"
# What browsers send and clients do not (Fetch Metadata Request Headers, RFC 6454, RFC 6265).
SIGNS_OF_BROWSERS: Final = ("HTTP_SEC_FETCH_MODE", "HTTP_ORIGIN", "HTTP_COOKIE")
# For a browser too old to give a sign.
POLICY: Final = "default-src 'none'; frame-ancestors 'none'"


class ClientLaneMiddleware:
    """Leads a client's call below the tracking URI straight to its view.

    Origins, sessions, forms and the headers that tell a browser what not to do are a fourth of such a call's time
    else. Whoever looks like a browser goes the whole way.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self.view = MlflowProxyView.as_view()

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not is_of_client(request.META) or _is_for_ui(request):
            return self.get_response(request)
        rest = request.path_info.removeprefix(MOUNT + "/")
        response: HttpResponseBase = self.view(request, mount=MOUNT, rest=rest)
        response.headers.setdefault("Content-Security-Policy", POLICY)
        if isinstance(response, HttpResponse):
            response.headers.setdefault("Content-Length", str(len(response.content)))
        return response


def is_of_client(environ: Mapping[str, Any]) -> bool:
    """Return whether a request is a call below the tracking URI, and shows no sign of a browser."""
    path: str = environ.get("PATH_INFO", "")
    is_below = path.startswith(MOUNT + "/") and len(path) > len(MOUNT) + 1
    return is_below and not any(environ.get(sign) for sign in SIGNS_OF_BROWSERS)


def _is_for_ui(request: HttpRequest) -> bool:
    # Asking refuses a foreign host.
    return request.get_host().lower() == settings.HOKUSAI_UI_HOST
