"""Serves /metrics to whoever may read it, and never from a cache; counts nothing itself."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from apikeys.authentication import ApiKeyAuthentication
from apikeys.permissions import HoldsRequiredScope, IsFromAllowedAddress
from mlflow_proxy import metrics
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
        text, content_type = metrics.exposition(request.headers.get("Accept", ""))
        return HttpResponse(text, content_type=content_type, headers={"Cache-Control": "no-store"})
