"""Usage: what was called per hour or day, as JSON in pages and as CSV in whole; counts nothing itself."""

import datetime
from collections.abc import Iterable
from tempfile import SpooledTemporaryFile
from typing import IO, Any

from django.db import close_old_connections
from django.http import FileResponse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from apikeys import spreadsheets
from apikeys.api.base import Access, ApiViewSet
from apikeys.api.fields import PageQuery, Word
from apikeys.api.pages import NewestFirst
from apikeys.rollups import KINDS, UsageQuerySet

SPOOLED_BYTES = 1024**2
# How far back a question goes that does not say.
REACH = {"hour": datetime.timedelta(days=1), "day": datetime.timedelta(days=30)}


class UsageSerializer(serializers.Serializer[Any]):
    """Calls of one key, kind and outcome within an hour or a day; bytes are those of bodies."""

    begins_at = serializers.DateTimeField(source="begins")
    service_id = serializers.CharField(help_text="Empty for calls without a valid key.")
    key_id = serializers.CharField()
    route_class = serializers.CharField(source="traffic", help_text="metadata, transfer, stream, rest or none.")
    status_class = serializers.IntegerField(help_text="The first digit of the HTTP status.")
    calls = serializers.IntegerField(source="total_calls")
    bytes_in = serializers.IntegerField(source="total_bytes_in")
    bytes_out = serializers.IntegerField(source="total_bytes_out")
    seconds = serializers.FloatField(source="total_seconds")


class UsageQuery(PageQuery):
    """What usage is narrowed down by, and how it is put together."""

    service = Word(required=False, max_length=63)
    key = Word(required=False, max_length=24, help_text="Public id of a key.")
    route_class = Word(required=False, max_length=16)
    status_class = serializers.IntegerField(required=False, min_value=1, max_value=5)
    since = serializers.DateTimeField(required=False, help_text="A day ago by hour, 30 days ago by day.")
    until = serializers.DateTimeField(required=False, help_text="Up to, and not with.")
    by = serializers.ChoiceField(choices=list(REACH), required=False, default="hour")


COLUMNS = {
    "service": "service_id",
    "key": "key_id",
    "route_class": "traffic",
    "status_class": "status_class",
    "until": "begins_at__lt",
}


class OldestFirst(NewestFirst):
    """Pages of totals, by the beginning of the hour or day."""

    ordering = KINDS
    # Any number of keys may have called in one hour.
    offset_cutoff = 1_000_000

    def is_position(self, text: str) -> bool:
        try:
            moment = parse_datetime(text)
        except ValueError:
            return False
        return moment is not None and timezone.is_aware(moment)


class CsvRenderer(BaseRenderer):
    """Lets ``Accept: text/csv`` choose; the lines are the view's."""

    media_type = "text/csv"
    format = "csv"


class UsageViewSet(ApiViewSet):
    """What was called. A key sees the usage of its service, one of the portal's own service all."""

    serializer_class = UsageSerializer
    pagination_class = OldestFirst
    renderer_classes = (JSONRenderer, CsvRenderer)
    looks_up = True
    accesses = {"list": Access("key:read", "apikeys.view_service")}

    @extend_schema(
        parameters=[UsageQuery],
        responses={(200, "application/json"): UsageSerializer(many=True), (200, "text/csv"): str},
    )
    def list(self, request: Request) -> Response | FileResponse:
        """List totals per hour or day, service, key, class of route and class of status, the oldest first."""
        asked = self.asked(UsageQuery)
        totals = narrowed(self.rights.usage(), asked).by_kind(asked["by"])
        if getattr(request, "accepted_renderer", None) and request.accepted_renderer.format == "csv":
            lines = spreadsheets.lines(UsageSerializer().fields, self._cells(totals.iterator()))
            file = _written(lines)
            # Whoever reads slowly would hold a connection of the pool all the while.
            close_old_connections()
            return FileResponse(file, as_attachment=True, filename="usage.csv", content_type="text/csv; charset=utf-8")
        return self.get_paginated_response(self.get_serializer(self.paginate_queryset(totals), many=True).data)

    def _cells(self, totals: Iterable[Any]) -> Iterable[Iterable[str]]:
        return (map(str, UsageSerializer(total).data.values()) for total in totals)


def _written(lines: Iterable[str]) -> IO[bytes]:
    """Return the lines as a file that is read from its beginning, and on disk where it is large."""
    file = SpooledTemporaryFile(max_size=SPOOLED_BYTES)  # noqa: SIM115  (the response closes it)
    file.writelines(line.encode() for line in lines)
    file.seek(0)
    return file


def narrowed(rows: UsageQuerySet, asked: dict[str, Any]) -> UsageQuerySet:
    """Return the rows that meet every filter asked for, and no older ones than somebody wants to see unasked."""
    since = asked.get("since") or timezone.now() - REACH[asked["by"]]
    conditions = {column: asked[name] for name, column in COLUMNS.items() if name in asked}
    return rows.since(since).filter(**conditions)
