"""The page of storage health: shows what the monitor kept, and begins a check on demand; asks no dependency itself."""

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.forms import Media, Script
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from apikeys.models import database_now
from mlflow_proxy import conf, metrics
from mlflow_proxy.health import diagnostics, monitor, report
from mlflow_proxy.models import StorageCheck

PERMISSION = "mlflow_proxy.view_storagecheck"
SCRIPTS: list[Any] = [Script("hokusai_portal/health.js", defer=True)]
MEDIA = Media(css={"all": ["hokusai_portal/health.css"]}, js=SCRIPTS)

# Django's classes take parameters for the type checker alone.
if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[StorageCheck]
else:
    _ModelAdmin = admin.ModelAdmin
View = Callable[[HttpRequest], HttpResponse]


@admin.register(StorageCheck)
class StorageCheckAdmin(_ModelAdmin):
    """The entry in the admin's index; it leads to the page."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: StorageCheck | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: StorageCheck | None = None) -> bool:
        return False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return redirect("storage-health")


def guarded(view: View) -> View:
    """Let staff with the permission in; others are sent to the login, or refused."""

    @wraps(view)
    def guard(request: HttpRequest) -> HttpResponse:
        if not request.user.has_perm(PERMISSION):
            raise PermissionDenied
        return view(request)

    guarded_by_site: View = admin.site.admin_view(never_cache(guard))
    return guarded_by_site


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """Show the light, what to do, every probe and the history."""
    found = report.report()
    context = {
        **admin.site.each_context(request),
        "title": "Storage health",
        "media": MEDIA,
        "report": found,
        "interval": report.lasting_seconds(conf.storage_check_seconds()),
        "breakers": open_breakers(),
        "diagnostics": diagnostics.text_of(found, facts()),
    }
    return TemplateResponse(request, "mlflow_proxy/storage_health.html", context)


@require_POST
def check_now(request: HttpRequest) -> HttpResponse:
    """Begin a check, unless one is under way, and show the page."""
    if report.progress(database_now()) is None:
        monitor.check_aside(f"page: {request.user.get_username()}")
    return redirect("storage-health")


@require_safe
def progress(request: HttpRequest) -> HttpResponse:
    """How far the check is, for the page's script."""
    found = report.progress(database_now())
    return JsonResponse(
        {"running": bool(found), "answered": found.answered if found else 0, "expected": found.expected if found else 0}
    )


@require_safe
def text(request: HttpRequest) -> HttpResponse:
    """The diagnostics as plain text."""
    return HttpResponse(diagnostics.text_of(report.report(), facts()), content_type="text/plain; charset=utf-8")


def open_breakers() -> str:
    """Return in words which breakers of this server are open; every replica has its own."""
    found = metrics.open_breakers()
    told = (f"{upstream} {traffic} in {workers} of the workers" for (upstream, traffic), workers in found.items())
    return f"open: {', '.join(told)}" if found else "closed"


def facts() -> dict[str, str]:
    """Return the settings that a helper asks for first."""
    return {
        "MLflow": conf.upstream().netloc,
        "Static prefix": conf.static_prefix() or "none",
        "Destination": conf.artifact_destination() or "not configured",
        "Mode": "direct" if conf.is_direct() else "proxy",
        "Breakers": open_breakers(),
    }
