"""Serves /metrics to whoever may read it, and never from a cache; counts what only the database knows, calls not."""

from typing import Any

from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from apikeys import statuses
from apikeys.authentication import ApiKeyAuthentication
from apikeys.models import ApiKey, database_now
from apikeys.permissions import HoldsRequiredScope, IsFromAllowedAddress
from mlflow_proxy import metrics
from mlflow_proxy.health import history
from mlflow_proxy.health.guide import GUIDES
from mlflow_proxy.negotiation import PassThroughNegotiation


class StaffSession(BaseAuthentication):
    """Staff signed in to the admin, who may read; a key in the headers goes first."""

    def authenticate(self, request: Request) -> tuple[Any, None] | None:
        has_key = "Authorization" in request.headers or "X-Api-Key" in request.headers
        signed_in: HttpRequest = request._request  # noqa: SLF001  (DRF's own user property would call this again)
        if has_key or request.method not in SAFE_METHODS or not signed_in.user.is_staff:
            return None
        return signed_in.user, None

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class IsStaff(BasePermission):
    def has_permission(self, request: Request, view: Any) -> bool:
        return request.auth is None and bool(request.user.is_staff)


class MetricsView(APIView):
    """The numbers of all workers, for Prometheus."""

    authentication_classes = (StaffSession, ApiKeyAuthentication)
    permission_classes = (IsStaff | (IsFromAllowedAddress & HoldsRequiredScope),)
    content_negotiation_class = PassThroughNegotiation
    required_scope = "storage:read"
    operation = "GET /metrics"

    def get(self, request: Request) -> HttpResponse:
        note_facts()
        text, content_type = metrics.exposition(request.headers.get("Accept", ""))
        return HttpResponse(text, content_type=content_type, headers={"Cache-Control": "no-store"})


def note_facts() -> None:
    """Bring up to date what no worker counts: keys by status, and what the last storage check found."""
    rows: Any = ApiKey.objects.with_status().order_by()
    counted = dict(rows.values_list("status").annotate(Count("pk")))
    metrics.note_keys({status: counted.get(status, 0) for status in statuses.DESCRIPTIONS})
    check = history.latest()
    if check and check.ended_at:
        age = (database_now() - check.ended_at).total_seconds()
        for probe in history.probes_of(check):
            if probe.name in GUIDES:
                metrics.note_probe(probe.name, is_failed=probe.status == "failed", age=age)
