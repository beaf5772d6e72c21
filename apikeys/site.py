"""The admin site: its names, how one signs in, and that a refusal is written down; owns no screen.

``AdminConfig.default_site`` names it, so ``django.contrib.admin.site`` is this one. It stands outside of
``apikeys.admin``, whose import registers the screens with it.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

import structlog
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from apikeys import trail
from apikeys.authentication import client_address
from apikeys.sign_in import PacedAuthenticationForm

ORDER = ("Service", "ApiKey", "Usage", "AuditEvent", "Webhook", "User", "Group")
SCREENS = {name: place for place, name in enumerate(ORDER)}

APPS = {"auth": "Accounts"}


class PortalAdminSite(AdminSite):
    """Django's site under the portal's name; nothing can be deleted in it."""

    site_title = "Hokusai Portal"
    site_header = "Hokusai Portal"
    index_title = "Overview"
    login_form = PacedAuthenticationForm

    def __init__(self, name: str = "admin") -> None:
        super().__init__(name)
        self.disable_action("delete_selected")

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """Return the screens as people look for them: what is done daily before who may do it."""
        apps: list[Any] = super().get_app_list(request, app_label)
        for app in apps:
            app["name"] = APPS.get(app["app_label"], app["name"])
            app["models"].sort(key=lambda model: SCREENS.get(model["object_name"], len(SCREENS)))
        return sorted(apps, key=lambda app: (app["app_label"] == "auth", app["app_label"]))

    def admin_view(self, view: Callable[..., Any], cacheable: bool = False) -> Any:
        """Wrap a view of the admin; what it forbids to a member of staff goes to the trail."""
        return super().admin_view(_with_denials_recorded(view), cacheable)

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Django's login; 429 for a try that came too early, and an event for one that succeeded."""
        response = super().login(request, extra_context)
        form = (getattr(response, "context_data", None) or {}).get("form")
        if isinstance(form, PacedAuthenticationForm) and form.wait_seconds is not None:
            response.status_code = 429
            response["Retry-After"] = str(form.wait_seconds)
        elif request.method == "POST" and response.status_code == 302:
            trail.record_sign_in(actor=actor_of(request))
        return response


def actor_of(request: HttpRequest) -> trail.Actor:
    """Return who acts in a request of staff, from where and under which request id."""
    request_id = str(structlog.contextvars.get_contextvars().get("request_id", ""))
    return trail.Actor(name=request.user.get_username(), address=client_address(request), request_id=request_id)


def _with_denials_recorded(view: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(view)
    def call(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        try:
            return view(request, *args, **kwargs)
        except PermissionDenied:
            # Out here the view's own transaction is rolled back already.
            trail.record_denial(method=request.method or "", path=request.get_full_path(), actor=actor_of(request))
            raise

    return call
