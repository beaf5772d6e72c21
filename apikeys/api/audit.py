"""The audit trail, to read; nobody writes or changes an event here."""

from typing import Any

from django.db.models import Q, QuerySet
from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apikeys.api.base import Access, ApiViewSet
from apikeys.api.fields import PageQuery, Word
from apikeys.api.pages import NewestFirst
from apikeys.models import AuditEvent

READ = Access("audit:read", "apikeys.view_auditevent")


class AuditEventSerializer(serializers.ModelSerializer[AuditEvent]):
    """Who did what to which service or key, from where, and why."""

    before = serializers.DictField()
    after = serializers.DictField()

    class Meta:
        model = AuditEvent
        fields = (
            *("id", "at", "action", "actor", "service_id", "object_id", "before", "after", "reason"),
            *("address", "request_id"),
        )
        read_only_fields = fields


class AuditQuery(PageQuery):
    """What the trail is narrowed down by."""

    service = Word(required=False, max_length=63)
    key = Word(required=False, max_length=24, help_text="Public id of a key.")
    event = Word(required=False, max_length=64, help_text="The action, like api_key_issued.")
    actor = Word(required=False, max_length=200)
    since = serializers.DateTimeField(required=False)
    until = serializers.DateTimeField(required=False, help_text="Up to, and not with.")


COLUMNS = {
    "service": "service_id",
    "key": "object_id",
    "event": "action",
    "actor": "actor",
    "since": "at__gte",
    "until": "at__lt",
}


class AuditEventViewSet(ApiViewSet):
    """The audit trail. A key sees the events of its service, one of the portal's own service all."""

    serializer_class = AuditEventSerializer
    lookup_field = "pk"
    lookup_url_kwarg = "id"
    lookup_value_regex = "[^/]+"
    looks_up = True
    accesses = dict.fromkeys(("list", "retrieve"), READ)

    def rows(self, verb: str) -> QuerySet[AuditEvent]:
        return self.rights.events()

    def get_object(self) -> Any:
        if not NewestFirst().is_position(self.kwargs["id"]):
            raise Http404
        return super().get_object()

    @extend_schema(parameters=[AuditQuery])
    def list(self, request: Request) -> Response:
        """List events, the newest first."""
        asked: dict[str, Any] = self.asked(AuditQuery)
        conditions = {COLUMNS[name]: value for name, value in asked.items() if name in COLUMNS}
        page = self.paginate_queryset(self.get_queryset().filter(Q(**conditions)))
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    def retrieve(self, request: Request, id: str) -> Response:  # noqa: A002  # the word of the address
        """Show an event."""
        return Response(self.get_serializer(self.get_object()).data)
