"""The resource of services: lists, registers, changes and pauses them; asks rights, and writes by actions alone."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.exceptions import APIException, PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from apikeys import actions, rules
from apikeys.api import preconditions
from apikeys.api.base import Access, ApiViewSet
from apikeys.api.fields import Days, PageQuery, Scopes, ServiceId, StrictSerializer, Text, Whole, Word
from apikeys.api.key_documents import OptionalReasonSerializer, ReasonSerializer
from apikeys.api.pages import OldestFirst
from apikeys.api.parameters import ETAG, IDEMPOTENCY_KEY, IF_MATCH
from apikeys.models import Service

WRITE = "key:write"


class ServiceExistsError(APIException):
    """409: the id is taken."""

    status_code = status.HTTP_409_CONFLICT
    reason = "SERVICE_EXISTS"


class ServiceSerializer(serializers.ModelSerializer[Service]):
    """A registered calling program."""

    default_scopes = serializers.ListField(child=serializers.CharField())
    workspaces = serializers.ListField(child=serializers.CharField())
    is_disabled = serializers.BooleanField()

    class Meta:
        model = Service
        fields = (
            *("service_id", "description", "owner", "contact", "default_scopes", "default_days"),
            *("default_rate_limit_per_hour", "workspaces", "presigned_urls"),
            *("created_at", "is_disabled", "disabled_at", "disabled_reason"),
        )
        read_only_fields = fields


class ServiceChangesSerializer(StrictSerializer):
    """What is known of a service, and what its new keys get unless told otherwise."""

    description = Text(max_length=500, required=False, allow_blank=True)
    owner = Text(max_length=200, required=False, allow_blank=True)
    contact = Text(max_length=200, required=False, allow_blank=True)
    default_scopes = Scopes(required=False)
    default_days = Days(required=False, allow_null=True)
    default_rate_limit_per_hour = Whole(
        required=False, allow_null=True, min_value=rules.MINIMUM_RATE, max_value=rules.MAXIMUM_RATE
    )


class ServiceDraftSerializer(ServiceChangesSerializer):
    """A service to register."""

    service_id = ServiceId()


class ServiceQuery(PageQuery):
    owner = Word(required=False, max_length=200)


class ServiceViewSet(ApiViewSet):
    """Services: registered calling programs, which own keys."""

    serializer_class = ServiceSerializer
    pagination_class = OldestFirst
    lookup_field = "service_id"
    lookup_value_regex = "[^/]+"
    looks_up = True
    accesses = {
        **dict.fromkeys(("list", "retrieve"), Access("key:read", "apikeys.view_service")),
        "create": Access(WRITE, "apikeys.add_service"),
        **dict.fromkeys(("partial_update", "disable", "enable"), Access(WRITE, "apikeys.change_service")),
    }
    changing = frozenset(("partial_update", "disable", "enable"))

    def rows(self, verb: str) -> QuerySet[Service]:
        return self.rights.services(verb)

    @extend_schema(parameters=[ServiceQuery])
    def list(self, request: Request) -> Response:
        """List services, the oldest first."""
        services, asked = self.get_queryset(), self.asked(ServiceQuery)
        services = services.filter(owner=asked["owner"]) if "owner" in asked else services
        return self.get_paginated_response(self.get_serializer(self.paginate_queryset(services), many=True).data)

    @extend_schema(parameters=[ETAG])
    def retrieve(self, request: Request, service_id: str) -> Response:
        """Show a service."""
        return self.shown(self.get_object())

    @extend_schema(
        parameters=[IDEMPOTENCY_KEY, ETAG], request=ServiceDraftSerializer, responses={201: ServiceSerializer}
    )
    def create(self, request: Request) -> Response:
        """Register a service."""
        facts: Any = self.sent(ServiceDraftSerializer)
        if not self.rights.may_register_services():
            raise PermissionDenied("Services are registered by staff, and by keys of the portal's own service.")
        preconditions.idempotency_key(request)
        first = {name: facts.pop(name) for name in ("service_id", "description", "owner") if name in facts}
        with transaction.atomic():
            service = _created(first, self.actor)
            self._refuse_excess(service, facts)
            service = actions.change_service(service=service, actor=self.actor, **facts)
        return self.shown(service, status=201)

    @extend_schema(parameters=[IF_MATCH, ETAG], request=ServiceChangesSerializer)
    def partial_update(self, request: Request, service_id: str) -> Response:
        """Change what is known of a service, and what its new keys get."""
        changes: Any = self.sent(ServiceChangesSerializer)
        with transaction.atomic():
            # Held until the change is written: nobody comes between reading and writing.
            service = Service.objects.select_for_update().get(pk=self.get_object().pk)
            preconditions.refuse_stale(request, preconditions.etag_of(self.get_serializer(service).data))
            self._refuse_excess(service, changes)
            service = actions.change_service(service=service, actor=self.actor, **changes)
        return self.shown(service)

    @extend_schema(request=ReasonSerializer, responses=ServiceSerializer)
    @action(detail=True, methods=["post"])
    def disable(self, request: Request, service_id: str) -> Response:
        """Pause a service: all its keys are refused, from the next request on."""
        facts = self.sent(ReasonSerializer)
        return self.shown(actions.disable_service(service=self.get_object(), actor=self.actor, **facts))

    @extend_schema(request=OptionalReasonSerializer, responses=ServiceSerializer)
    @action(detail=True, methods=["post"])
    def enable(self, request: Request, service_id: str) -> Response:
        """End a service's pause."""
        facts = self.sent(OptionalReasonSerializer)
        return self.shown(actions.enable_service(service=self.get_object(), actor=self.actor, **facts))

    def shown(self, service: Service, status: int = 200) -> Response:
        document = self.get_serializer(service).data
        return Response(document, status=status, headers={"ETag": preconditions.etag_of(document)})

    def _refuse_excess(self, service: Service, facts: dict[str, Any]) -> None:
        # What a service's keys get by default somebody will be given: no more than the caller may give.
        self.rights.refuse_scopes(service, facts.get("default_scopes", ()))


def _created(first: dict[str, str], actor: actions.Actor) -> Service:
    try:
        return actions.create_service(actor=actor, **first)
    except ValidationError as error:
        if any(fault.code == "unique" for fault in error.error_dict.get("service_id", ())):
            raise ServiceExistsError(f"There is a service {first['service_id']} already.") from None
        raise
