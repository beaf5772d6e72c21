"""Storage health over REST: what the monitor kept, and a check on demand; asks no dependency itself."""

import datetime
from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apikeys.api.base import Access, ApiView
from apikeys.api.fields import QuerySerializer, StrictSerializer
from apikeys.models import database_now
from mlflow_proxy.health import history, monitor, report

READ = Access("storage:read", "mlflow_proxy.view_storagecheck")


class ProbeSerializer(serializers.Serializer[Any]):
    """A question about artifact storage, with its answer; docs/health.md says what each asks."""

    name = serializers.CharField(source="probe.name")
    weight = serializers.CharField(source="guide.weight")
    status = serializers.CharField(source="probe.status", help_text="passed, failed or unknown.")
    latency_ms = serializers.FloatField(source="probe.latency_ms")
    reason = serializers.CharField(source="probe.reason")
    detail = serializers.CharField(source="probe.detail")
    hint = serializers.CharField(source="probe.hint", help_text="What to do.")
    since = serializers.DateTimeField(allow_null=True, help_text="Since when the answer stands.")


class ProgressSerializer(serializers.Serializer[Any]):
    """A check that is under way."""

    answered = serializers.IntegerField()
    expected = serializers.IntegerField()
    asked_by = serializers.CharField()


class HealthSerializer(serializers.Serializer[Any]):
    """The light, its sentence and every probe of the last check; ``light`` is grey where nothing recent is known."""

    light = serializers.ChoiceField(choices=["green", "amber", "red", "grey"])
    sentence = serializers.CharField()
    checked_at = serializers.DateTimeField(source="check.ended_at", allow_null=True, default=None)
    seconds = serializers.FloatField()
    progress = ProgressSerializer(allow_null=True)
    probes = serializers.SerializerMethodField()

    @extend_schema_field(ProbeSerializer(many=True))
    def get_probes(self, found: report.Report) -> list[dict[str, Any]]:
        rows = [row for _, rows in found.chapters for row in rows]
        return list(ProbeSerializer(rows, many=True).data)


class LightSerializer(serializers.Serializer[Any]):
    at = serializers.DateTimeField()
    light = serializers.CharField()


class HistorySerializer(serializers.Serializer[Any]):
    """Each check of a day, or the worst light of each hour of a month, the oldest first."""

    window = serializers.CharField()
    results = LightSerializer(many=True)


WINDOWS = {"24h": (history.DAY, history.checks_since), "30d": (history.MONTH, history.hours_since)}


class HistoryQuery(QuerySerializer):
    window = serializers.ChoiceField(choices=list(WINDOWS), required=False, default="24h")


class HealthView(ApiView):
    """Artifact storage, as the last check found it."""

    access = READ
    serializer_class = HealthSerializer

    def get(self, request: Request) -> Response:
        """Show the light and every probe of the last check."""
        self.asked(QuerySerializer)
        return Response(HealthSerializer(report.report()).data)


class HealthHistoryView(ApiView):
    """How artifact storage was."""

    access = READ
    serializer_class = HistorySerializer

    @extend_schema(parameters=[HistoryQuery])
    def get(self, request: Request) -> Response:
        """List the lights of a day or a month."""
        window = self.asked(HistoryQuery)["window"]
        length, lights_since = WINDOWS[window]
        found = [{"at": at, "light": light} for at, light in lights_since(_ago(length))]
        return Response(HistorySerializer({"window": window, "results": found}).data)


class NewCheckView(ApiView):
    """A check on demand."""

    access = READ
    serializer_class = HealthSerializer

    @extend_schema(request=StrictSerializer, responses={202: HealthSerializer})
    def post(self, request: Request) -> Response:
        """Begin a check, unless one is under way; the report tells how far it is."""
        self.sent(StrictSerializer)
        if report.progress(database_now()) is None:
            monitor.check_aside(f"api: {self.rights.name}")
        return Response(HealthSerializer(report.report()).data, status=202)


def _ago(length: datetime.timedelta) -> datetime.datetime:
    return database_now() - length
