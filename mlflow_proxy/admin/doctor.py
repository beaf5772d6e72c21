"""The page of the doctor: shows the newest walk, and begins one on demand; walks nowhere itself."""

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.views.decorators.http import require_POST, require_safe

from apikeys.site import actor_of
from mlflow_proxy import conf
from mlflow_proxy.admin.storage_health import MEDIA
from mlflow_proxy.health import walk_report, walks

# It has a key issued and moves 128 MiB: more than to look.
PERMISSION = "mlflow_proxy.start_doctorwalk"


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """Show the newest walk hop by hop, the cure of what failed, and the button."""
    context = {
        **admin.site.each_context(request),
        "title": "Doctor",
        "media": MEDIA,
        "report": walk_report.report(),
        "portal": portal_of(request),
        "may_start": request.user.has_perm(PERMISSION),
        "service": walks.SERVICE,
    }
    return TemplateResponse(request, "mlflow_proxy/doctor.html", context)


@require_POST
def start(request: HttpRequest) -> HttpResponse:
    """Begin a walk, unless one is under way, and show the page."""
    if not request.user.has_perm(PERMISSION):
        raise PermissionDenied
    if walk_report.report().is_running:
        messages.info(request, "A walk is under way already.")
    else:
        walks.walk_aside(portal_of(request), actor_of(request))
    return redirect("doctor")


@require_safe
def progress(request: HttpRequest) -> HttpResponse:
    """How far the walk is, with its hops as the page shows them, for the page's script."""
    report = walk_report.report()
    steps = render_to_string("mlflow_proxy/doctor_steps.html", {"report": report})
    return JsonResponse({"running": report.is_running, "answered": report.answered, "steps": steps})


def portal_of(request: HttpRequest) -> str:
    """Return where clients find the portal; without HOKUSAI_PUBLIC_URL, the allowed host that staff came to."""
    return conf.public_url() or request.build_absolute_uri("/").rstrip("/")
