"""Home page, health endpoints and the last-resort error pages; owns no rule and no probe."""

import datetime
from typing import Any

from django.db import Error as DatabaseFault
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from apikeys import scopes
from apikeys.authentication import claim_of, client_address
from apikeys.credentials import CredentialRefusedError
from apikeys.exceptions import PaceError
from apikeys.keys import UnknownPepperError
from hokusai_portal import __version__, draining
from mlflow_proxy import metrics, replies
from mlflow_proxy.health import readiness
from mlflow_proxy.health.answers import Probe
from mlflow_proxy.ui import registered, rights
from mlflow_proxy.ui.doors import ui_address

API_PREFIXES = ("/api/", "/mlflow")


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Say what this is and how to begin; whoever may browse MLflow is shown its models, too."""
    facts: dict[str, Any] = {"version": __version__, "base": request.build_absolute_uri("/")}
    if rights.scopes_of(request.user):
        facts |= {"models": registered.latest(), "ui": ui_address(), "is_browsing": True}
    response = render(request, "hokusai_portal/home.html", facts)
    if request.user.is_authenticated:
        response["Cache-Control"] = "private, no-store"
    return response


@never_cache
@require_safe
def health(request: HttpRequest) -> HttpResponse:
    """200 in milliseconds while the process lives; touches no dependency."""
    now = datetime.datetime.now(tz=datetime.UTC).isoformat(timespec="seconds")
    return JsonResponse({"status": "ok", "version": __version__, "timestamp": now})


@never_cache
@require_safe
def live(request: HttpRequest) -> HttpResponse:
    """200 while the process lives; touches no dependency."""
    return JsonResponse({"alive": True})


@never_cache
@require_safe
def ready(request: HttpRequest) -> HttpResponse:
    """200 when every critical dependency answers, else 503; each check by name, with its reason as a closed word."""
    if draining.is_under_way():
        return JsonResponse({"ready": False, "draining": True, "checks": []}, status=503)
    answers = readiness.recent_answers.get()
    is_ready = all(answer.passed for answer in answers if answer.is_critical)
    sees_details = may_see_details(request)
    checks = [_described(answer, sees_details) for answer in answers]
    return JsonResponse({"ready": is_ready, "checks": checks}, status=200 if is_ready else 503)


@never_cache
@require_safe
def mlflow_health(request: HttpRequest) -> HttpResponse:
    """200 or 503 for MLflow alone, as the predecessor answered."""
    answer = next(answer for answer in readiness.recent_answers.get() if answer.name == "mlflow")
    document: dict[str, Any] = {"status": "ok" if answer.passed else "error", "latency_ms": answer.latency_ms}
    if may_see_details(request):
        from mlflow_proxy import conf  # noqa: PLC0415

        document |= {"tracking_uri": conf.upstream().netloc, "error_type": answer.reason, "error": answer.detail}
    return JsonResponse(document, status=200 if answer.passed else 503)


def may_see_details(request: HttpRequest) -> bool:
    """Return whether the caller is staff or holds ``storage:read``; False, not an error, for anybody else."""
    try:
        if "Authorization" in request.headers or "X-Api-Key" in request.headers:
            return scopes.grants(claim_of(request.headers, client_address(request)).verify().scopes, "storage:read")
        return bool(request.user.is_staff)
    except (CredentialRefusedError, PaceError, DatabaseFault, UnknownPepperError):
        return False


def _described(answer: Probe, sees_details: bool) -> dict[str, Any]:
    described = {
        "name": answer.name,
        "passed": answer.passed,
        "critical": answer.is_critical,
        "latency_ms": answer.latency_ms,
        "reason": answer.reason,
    }
    return described | ({"detail": answer.detail, "hint": answer.hint} if sees_details else {})


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    return _error(request, 400, "BAD_REQUEST", "BAD_REQUEST", "The request cannot be understood.")


def not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    sentence = "No such page. MLFLOW_TRACKING_URI should end in /api/mlflow."
    return _error(request, 404, "ENDPOINT_NOT_FOUND", "ROUTE_UNKNOWN", sentence)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    return _error(request, 403, "PERMISSION_DENIED", "PERMISSION_DENIED", "This is not allowed.")


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponseBase:
    return _error(request, 403, "PERMISSION_DENIED", "CSRF_FAILED", "The form is too old or not ours. Load it again.")


def server_error(request: HttpRequest) -> HttpResponseBase:
    return _error(request, 500, "INTERNAL_ERROR", "INTERNAL", "The portal failed. Tell its operators the request id.")


def _error(request: HttpRequest, status: int, code: str, reason: str, sentence: str) -> HttpResponseBase:
    # No view that counts its calls has seen this one to its end.
    metrics.count_refusal(reason)
    is_browser = "text/html" in request.headers.get("Accept", "") and not request.path.startswith(API_PREFIXES)
    if is_browser:
        facts = {"status": status, "sentence": sentence, "request_id": replies.request_id()}
        return render(request, "hokusai_portal/error.html", facts, status=status)
    return replies.error_body(status, code, reason, sentence)
