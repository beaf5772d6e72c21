"""What all views of the REST API share: who may call, how it is paced, strict parameters, pages; knows no resource."""

from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import structlog
from django.db import Error as DatabaseFault
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponseBase
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import MethodNotAllowed, PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.viewsets import GenericViewSet

from apikeys import throttling, trail
from apikeys.actions import Actor
from apikeys.api.credentials import CallerConcurrencyThrottle, CallerRateThrottle, IsPermittedStaff, StaffSession
from apikeys.api.fields import QuerySerializer
from apikeys.api.pages import NewestFirst
from apikeys.authentication import ApiKeyAuthentication, client_address
from apikeys.pacing import Verdict
from apikeys.permissions import HoldsRequiredScope, IsFromAllowedAddress
from apikeys.rights import Rights, rights_of
from apikeys.views import CountedView

# DRF's classes take parameters for the type checker alone.
if TYPE_CHECKING:
    _GenericViewSet = GenericViewSet[Any]
else:
    _GenericViewSet = GenericViewSet


class Access(NamedTuple):
    """What a call asks for: a scope of keys, a permission of staff; None asks for no more than being known."""

    scope: str | None = None
    permission: str | None = None


class ApiView(CountedView):
    """A view for keys and for staff. ``access`` says what it asks for."""

    authentication_classes = (StaffSession, ApiKeyAuthentication)
    permission_classes = (IsPermittedStaff | (IsFromAllowedAddress & HoldsRequiredScope),)
    throttle_classes = (CallerRateThrottle, CallerConcurrencyThrottle)
    http_method_names: tuple[str, ...] = ("get", "head", "post", "patch", "delete")
    access = Access()
    pace: Verdict | None = None

    @property
    def required_scope(self) -> str | None:
        return self.access.scope

    @property
    def required_permission(self) -> str | None:
        return self.access.permission

    @property
    def operation(self) -> str:
        return f"{self.request.method} {self.request.path}"

    @cached_property
    def rights(self) -> Rights:
        return rights_of(self.request)

    @property
    def actor(self) -> Actor:
        """Return who acts, for the audit trail."""
        request_id = str(structlog.contextvars.get_contextvars().get("request_id", ""))
        return Actor(name=self.rights.name, address=client_address(self.request), request_id=request_id)

    def asked(self, serializer: type[QuerySerializer]) -> dict[str, Any]:
        """Return the query's parameters as the serializer understands them; raises for one that it does not know."""
        return serializer.read(self.request.query_params)

    def sent(self, serializer: type[BaseSerializer[Any]], **context: Any) -> dict[str, Any]:
        """Return the body's fields as the serializer understands them; raises for one that it does not know."""
        reader = serializer(data=self.request.data, context={"view": self, **context})
        reader.is_valid(raise_exception=True)
        facts: dict[str, Any] = reader.validated_data
        return facts

    def handle_exception(self, exc: Exception) -> Response:
        response = super().handle_exception(exc)
        # Who sends what a page of somebody else has made is nobody here: DRF has authenticated no one then.
        if response.status_code == 403 and getattr(self.request.user, "is_staff", False):
            path = self.request.get_full_path()
            try:
                trail.record_denial(method=self.request.method or "", path=path, actor=self.actor)
            except DatabaseFault as fault:
                return super().handle_exception(fault)
        return response

    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        response.headers.setdefault("Cache-Control", "private, no-store")
        for name, value in throttling.headers(self.pace).items() if self.pace else ():
            response[name] = value
        return response


@extend_schema(exclude=True)
class NothingView(ApiView):
    """Whatever else somebody looks for: a 404 in the words of the REST API, once it is known who looks."""

    http_method_names = (*ApiView.http_method_names, "put")

    def get(self, request: Request, rest: str) -> Response:
        raise Http404

    post = patch = delete = put = get


class ApiViewSet(ApiView, _GenericViewSet):
    """A resource: rows that the caller may see, by ``rows``, and what each action asks for, by ``accesses``."""

    pagination_class = NewestFirst
    accesses: dict[str, Access]
    # The actions that change a row, and so need more than seeing it.
    changing: frozenset[str] = frozenset()

    @property
    def access(self) -> Access:  # type: ignore[override]  # here it depends on the action
        return self.accesses[self.action]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        # DRF's viewsets leave this out, where Django's views begin.
        self.setup(request, *args, **kwargs)
        return super().dispatch(request, *args, **kwargs)

    def check_permissions(self, request: Request) -> None:
        if self.action not in self.accesses:
            raise MethodNotAllowed(request.method or "")
        super().check_permissions(request)

    def rows(self, verb: str) -> QuerySet[Any]:
        """Return the rows that the caller may ``view`` or ``change``; each resource names its function of rights."""
        raise NotImplementedError

    def get_queryset(self) -> QuerySet[Any]:
        return self.rows("view")

    def get_object(self) -> Any:
        """Return the row of the address: 404 for one out of sight, 403 for one that may be seen and not changed."""
        kwarg = self.lookup_url_kwarg or self.lookup_field
        row: Model | None = self.get_queryset().filter(**{self.lookup_field: self.kwargs[kwarg]}).first()
        if row is None:
            raise Http404
        if self.action in self.changing and not self.rows("change").filter(pk=row.pk).exists():
            raise PermissionDenied("You may see this and not change it.")
        return row
