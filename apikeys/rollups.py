"""Usage: what was called per hour, and per day once hours are old, with the questions that screens ask; writes nothing.

Ids are kept as words, like in the audit trail: a row says what was, whatever becomes of its service or key.
"""

from __future__ import annotations

import datetime
from typing import Any

from django.db import models
from django.db.models import Count, Max, Q, Sum
from django.db.models.functions import TruncDay, TruncHour
from django.utils import timezone

type Totals = models.QuerySet[Usage, dict[str, Any]]

# Each column counts the calls that took at most so many seconds, and longer than the one before it; the last, longer.
LATENCIES = {
    "up_to_25_ms": 0.025,
    "up_to_50_ms": 0.05,
    "up_to_100_ms": 0.1,
    "up_to_250_ms": 0.25,
    "up_to_500_ms": 0.5,
    "up_to_1_s": 1.0,
    "up_to_5_s": 5.0,
    "up_to_30_s": 30.0,
    "up_to_5_min": 300.0,
    "over_5_min": float("inf"),
}
# What makes a row; the beginning comes first, because every question is about a time.
KIND = ("begins_at", "span", "service_id", "key_id", "traffic", "status_class", "reason")
KINDS = ("begins", "service_id", "key_id", "traffic", "status_class")
COUNTERS = ("calls", "bytes_in", "bytes_out", "seconds", *LATENCIES)
CLIENT = ("day", "service_id", "key_id", "product", "version")
OTHER_CLIENT = "other"


class UsageQuerySet(models.QuerySet["Usage"]):
    """Questions about usage: first which rows (``last_day`` …), then what of them (``by_hour`` …).

    The latter return a query of dictionaries: what they group by, a ``total_`` of each of COUNTERS, and of all calls
    ``refused_calls`` (4xx) and ``failed_calls`` (5xx).
    """

    def last_day(self) -> UsageQuerySet:
        """The last 24 hours, the one that runs among them."""
        return self._hours_since(datetime.timedelta(days=1))

    def last_week(self) -> UsageQuerySet:
        """The last 168 hours, the one that runs among them."""
        return self._hours_since(datetime.timedelta(days=7))

    def since(self, moment: datetime.datetime) -> UsageQuerySet:
        """Hours and days that began at a moment or later: no call is in both."""
        return self.filter(begins_at__gte=moment)

    def of_service(self, service_id: str) -> UsageQuerySet:
        return self.filter(service_id=service_id)

    def of_key(self, key_id: str) -> UsageQuerySet:
        return self.filter(key_id=key_id)

    def by_hour(self) -> Totals:
        """Totals of each hour that saw a call, the oldest first."""
        return _summed(self.filter(span=Usage.Span.HOUR), "begins_at", order="begins_at")

    def by_kind(self, span: str) -> Totals:
        """Totals of each ``hour`` or ``day`` (``begins``), service, key, traffic and class of status, oldest first.

        Hours that have become days already are in no hour.
        """
        rows, begins = (self.filter(span=span), TruncHour) if span == Usage.Span.HOUR else (self, TruncDay)
        return _summed(rows.annotate(begins=begins("begins_at")), *KINDS, order="begins")

    def by_service(self) -> Totals:
        """Totals of each service, the busiest first; calls without a valid key are nobody's."""
        return _summed(self.exclude(key_id=""), "service_id")

    def by_key(self) -> Totals:
        """Totals of each key, the busiest first."""
        return _summed(self.exclude(key_id=""), "key_id", "service_id")

    def top_refusals(self, count: int = 10) -> Totals:
        """Totals of the most frequent reasons, of calls with and without a valid key."""
        return _summed(self.exclude(reason=""), "reason")[:count]

    def _hours_since(self, ago: datetime.timedelta) -> UsageQuerySet:
        return self.filter(span=Usage.Span.HOUR, begins_at__gt=timezone.now() - ago)


class Usage(models.Model):
    """Calls of one kind within an hour or a day. Only ``apikeys.ledger`` writes rows, and only by adding."""

    class Span(models.TextChoices):
        HOUR = "hour"
        DAY = "day"

    begins_at = models.DateTimeField()
    span = models.CharField(max_length=4, choices=Span)
    # Both are empty for a call without a valid key, and for staff.
    service_id = models.CharField(max_length=63, blank=True)
    key_id = models.CharField(max_length=24, blank=True)
    traffic = models.CharField(max_length=16)
    # The first digit of the HTTP status.
    status_class = models.PositiveSmallIntegerField()
    reason = models.CharField(max_length=40, blank=True)
    calls = models.BigIntegerField()
    bytes_in = models.BigIntegerField()
    bytes_out = models.BigIntegerField()
    seconds = models.FloatField()
    up_to_25_ms = models.BigIntegerField()
    up_to_50_ms = models.BigIntegerField()
    up_to_100_ms = models.BigIntegerField()
    up_to_250_ms = models.BigIntegerField()
    up_to_500_ms = models.BigIntegerField()
    up_to_1_s = models.BigIntegerField()
    up_to_5_s = models.BigIntegerField()
    up_to_30_s = models.BigIntegerField()
    up_to_5_min = models.BigIntegerField()
    over_5_min = models.BigIntegerField()

    objects = UsageQuerySet.as_manager()

    class Meta:
        # No screen of its own: seen by whoever may see the service or key.
        default_permissions = ()
        verbose_name_plural = "usage"
        constraints = (models.UniqueConstraint(name="usage_kind_once", fields=KIND),)
        indexes = (models.Index(fields=["key_id", "begins_at"]),)

    def __str__(self) -> str:
        return f"{self.calls} calls in the {self.span} from {self.begins_at:%Y-%m-%d %H:%M}"


class ClientVersionQuerySet(models.QuerySet["ClientVersion"]):
    def since(self, day: datetime.date) -> ClientVersionQuerySet:
        return self.filter(day__gte=day)

    def by_version(self) -> models.QuerySet[ClientVersion, dict[str, Any]]:
        """Each product and version, the last seen first: ``total_calls``, ``keys`` that used it, ``last_day``."""
        facts = {"total_calls": Sum("calls"), "keys": Count("key_id", distinct=True), "last_day": Max("day")}
        versions: Any = self.values("product", "version").annotate(**facts)
        return versions.order_by("-last_day", "-total_calls", "product", "version")  # type: ignore[no-any-return]


class ClientVersion(models.Model):
    """A program that used a key on a day, as its User-Agent names it; written by ``apikeys.ledger`` alone."""

    day = models.DateField()
    service_id = models.CharField(max_length=63)
    key_id = models.CharField(max_length=24)
    product = models.CharField(max_length=40)
    version = models.CharField(max_length=20, blank=True)
    calls = models.BigIntegerField()

    objects = ClientVersionQuerySet.as_manager()

    class Meta:
        default_permissions = ()
        constraints = (models.UniqueConstraint(name="client_version_once", fields=CLIENT),)

    def __str__(self) -> str:
        return f"{self.product} {self.version}".strip()


def _summed(rows: Any, *by: str, order: str = "-total_calls") -> Totals:
    summed: Totals = rows.values(*by).annotate(**_totals()).order_by(order, *by)
    return summed


def _totals() -> dict[str, Sum]:
    totals = {f"total_{name}": Sum(name) for name in COUNTERS}
    refused, failed = Q(status_class=4), Q(status_class=5)
    return totals | {
        "refused_calls": Sum("calls", filter=refused, default=0),
        "failed_calls": Sum("calls", filter=failed, default=0),
    }
