"""Tell the interface's own requests from those that another page makes a browser send; decides no right.

A session travels by itself with every request of its browser. What may change something must therefore come from the
interface's exact origin, and in a form that no plain form can send. Fetch metadata (W3C) must say the same; over plain
http browsers leave it out, and the origin alone decides.
"""

from django.http import HttpRequest

from mlflow_proxy import conf
from mlflow_proxy.exceptions import ForbiddenError

SAFE = frozenset({"GET", "HEAD"})
# What a browser sends across origins without asking first (Fetch, CORS-safelisted request-header).
FORM_TYPES = frozenset({"application/x-www-form-urlencoded", "multipart/form-data", "text/plain"})


def is_navigation(request: HttpRequest) -> bool:
    """Return whether a person opens an address, and so is to be shown a page."""
    mode = request.headers.get("Sec-Fetch-Mode", "navigate")
    return request.method in SAFE and mode == "navigate" and "text/html" in request.headers.get("Accept", "")


def refuse_foreign(request: HttpRequest) -> None:
    """Raise ForbiddenError for a request that the interface's own pages would not make."""
    is_own = _is_own_read(request) if request.method in SAFE else _is_own_change(request)
    if not is_own:
        raise ForbiddenError("Only the pages of this interface may ask for that.", reason="ORIGIN_REFUSED")


def own(request: HttpRequest) -> str:
    """Return the origin of the interface: that of its configured address, else of the Host that was asked."""
    return conf.ui_origin() or f"{request.scheme}://{request.get_host()}"


def _is_own_read(request: HttpRequest) -> bool:
    return request.headers.get("Sec-Fetch-Site", "none") in {"same-origin", "none"} or _is_opened(request)


def _is_own_change(request: HttpRequest) -> bool:
    origin = own(request)
    site = request.headers.get("Sec-Fetch-Site", "" if origin.startswith("https:") else "same-origin")
    return request.headers.get("Origin") == origin and site == "same-origin" and not _is_form(request)


def _is_opened(request: HttpRequest) -> bool:
    """Return whether a link from elsewhere opens the interface in a tab, as opposed to a frame or a script."""
    destination = request.headers.get("Sec-Fetch-Dest", "")
    return request.headers.get("Sec-Fetch-Mode") == "navigate" and destination == "document"


def _is_form(request: HttpRequest) -> bool:
    is_submitted = request.headers.get("Sec-Fetch-Mode") == "navigate"
    return is_submitted or request.headers.get("Content-Type", "").partition(";")[0].strip().lower() in FORM_TYPES
