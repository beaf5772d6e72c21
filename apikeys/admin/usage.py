"""The screen of usage: who called how often, what was refused and why; counts nothing itself and changes nothing."""

import datetime
from typing import Any, NamedTuple

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from apikeys import charts, staff
from apikeys.admin.base import PortalModelAdmin
from apikeys.models import ApiKey, ClientVersion, Service, Usage
from apikeys.rollups import UsageQuerySet

ROWS_ON_A_PAGE = 100
CLIENTS_ON_A_PAGE = 10


class Span(NamedTuple):
    """A choice of time: its words, and how many slots of how many hours its chart has."""

    words: str
    slots: int
    hours: int


SPANS = {"day": Span("Last 24 hours", 24, 1), "week": Span("Last 7 days", 28, 6)}
OUTCOMES = {"refused": Q(status_class=4), "failed": Q(status_class=5)}
# The other parameters that narrow the page down, by the column that each means.
COLUMNS = {"service": "service_id", "key": "key_id", "reason": "reason"}


def chart_of(rows: UsageQuerySet, word: str) -> charts.Chart:
    """Return the chart of usage over a span of SPANS."""
    span = SPANS[word]
    hours = (rows.last_day() if word == "day" else rows.last_week()).by_hour()
    return charts.draw(hours, timezone.now(), datetime.timedelta(hours=span.hours), span.slots)


@admin.register(Usage)
class UsageAdmin(PortalModelAdmin[Usage]):
    """One page; its parameters are a span, an outcome, and words of a service, key or reason."""

    def _may(self, request: HttpRequest, verb: str, row: Usage | None) -> bool:
        return verb == "view" and staff.may(request.user, "view", Service)

    def visible_rows(self, request: HttpRequest) -> QuerySet[Usage]:
        return staff.usage(request.user)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show usage as it was asked for; an unknown parameter or value narrows to nothing or is left aside."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        word = request.GET.get("span", "day")
        word = word if word in SPANS else "day"
        asked = {name: request.GET[name] for name in COLUMNS if request.GET.get(name)}
        outcome = request.GET.get("outcome", "")
        rows = staff.usage(request.user).filter(**{COLUMNS[name]: value for name, value in asked.items()})
        rows = rows.filter(OUTCOMES[outcome]) if outcome in OUTCOMES else rows
        timed = rows.last_day() if word == "day" else rows.last_week()
        by_key = list(timed.by_key()[:ROWS_ON_A_PAGE])
        return self.render(
            request,
            "apikeys/admin/usage.html",
            title="Usage",
            span=word,
            spans=SPANS,
            narrowed=asked | ({"outcome": outcome} if outcome in OUTCOMES else {}),
            chart=chart_of(rows, word),
            keys=_with_rows(request, by_key),
            reasons=list(timed.top_refusals(50)),
            is_cut=len(by_key) == ROWS_ON_A_PAGE,
        )

    def page_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """A row of counts has no page of its own."""
        return self.changelist_view(request)


def _with_rows(request: HttpRequest, totals: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return totals of keys with the key itself, None where the account may not see it, and its mean in ms."""
    known = {key.public_id: key for key in staff.keys(request.user).filter(public_id__in=[t["key_id"] for t in totals])}
    return [total | {"key": known.get(total["key_id"]), "mean_ms": _mean_ms(total)} for total in totals]


def _mean_ms(total: dict[str, Any]) -> float:
    return float(1000 * total["total_seconds"] / total["total_calls"])


def facts_of_service(request: HttpRequest, service: Service) -> dict[str, Any]:
    """Return what the page of a service shows of its use."""
    month_ago = timezone.now().date() - datetime.timedelta(days=30)
    clients = ClientVersion.objects.filter(service_id=service.service_id).since(month_ago).by_version()
    chart = chart_of(staff.usage(request.user).of_service(service.service_id), "week")
    return {"chart": chart, "clients": list(clients[:CLIENTS_ON_A_PAGE])}


def facts_of_key(request: HttpRequest, key: ApiKey) -> dict[str, Any]:
    """Return what the page of a key shows of its use."""
    return {"chart": chart_of(staff.usage(request.user).of_key(key.public_id), "week")}
