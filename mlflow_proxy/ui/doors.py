"""Lead a request at the mounts: a key to the API, a browser to the interface or to where it is; judges nobody."""

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect

from mlflow_proxy import conf
from mlflow_proxy.ui import origins
from mlflow_proxy.ui.views import MlflowUiView
from mlflow_proxy.views import MlflowProxyView

UI_MOUNT = "/mlflow"
_api, _ui = MlflowProxyView.as_view(), MlflowUiView.as_view()


def open_api(request: HttpRequest, mount: str) -> HttpResponseBase:
    """Serve the API's own mount itself, where MLflow's printed links lead: a browser goes on to the interface.

    What stands behind # is kept: browsers carry it along where the new address has none (RFC 9110 §10.2.2).
    """
    if not has_credential(request) and origins.is_navigation(request):
        return HttpResponseRedirect(ui_address())
    return _api(request, mount=mount)


def open_ui(request: HttpRequest, mount: str, rest: str = "") -> HttpResponseBase:
    """Serve ``/mlflow``: with a key it is a tracking URI, with a session the interface."""
    if has_credential(request) or not _is_from_browser(request):
        return _api(request, mount=mount, rest=rest)
    if elsewhere := _elsewhere(request):
        is_lost = origins.is_navigation(request)
        path = f"{elsewhere}{request.get_full_path()}"
        return HttpResponseRedirect(path) if is_lost else _api(request, mount=mount, rest=rest)
    if request.path == UI_MOUNT:
        # Its addresses are relative: they need the slash.
        return HttpResponseRedirect(f"{UI_MOUNT}/")
    return _ui(request, mount=mount, rest=rest)


open_api.csrf_exempt = open_ui.csrf_exempt = True  # type: ignore[attr-defined]


def ui_address() -> str:
    """Return where the interface is: a path here, or an address of its own host."""
    return f"{conf.ui_origin() if conf.ui_host() else ''}{UI_MOUNT}/"


def has_credential(request: HttpRequest) -> bool:
    return "Authorization" in request.headers or "X-Api-Key" in request.headers


def _is_from_browser(request: HttpRequest) -> bool:
    has_session = settings.SESSION_COOKIE_NAME in request.COOKIES
    return has_session or "Sec-Fetch-Mode" in request.headers or origins.is_navigation(request)


def _elsewhere(request: HttpRequest) -> str:
    """Return the origin of the interface where it is not here, else an empty text."""
    host = conf.ui_host()
    return conf.ui_origin() if host and request.get_host().lower() != host else ""
