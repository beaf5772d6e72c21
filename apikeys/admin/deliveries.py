"""The screen of what was sent to webhooks: to read alone."""

import json
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apikeys import staff
from apikeys.admin import cells
from apikeys.admin.base import PortalModelAdmin
from apikeys.deliveries import STATUSES
from apikeys.models import Delivery


class StatusFilter(admin.SimpleListFilter):
    title = "status"
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(word, word.capitalize()) for word in STATUSES]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> QuerySet[Delivery]:
        return queryset.filter(status=self.value()) if self.value() else queryset


@admin.register(Delivery)
class DeliveryAdmin(PortalModelAdmin[Delivery]):
    """To read alone: what was sent, how often it was tried, and what the last answer was."""

    list_display = ("message", "status_chip", "attempts", "answer", "next_try", "queued")
    list_display_links = None
    list_filter = (StatusFilter, ("webhook", admin.RelatedOnlyFieldListFilter))
    lookups = frozenset({"status", "webhook__id__exact"})
    page_template = "apikeys/admin/delivery.html"

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Leave it out of the overview: the screen of webhooks leads to it."""
        return False

    def visible_rows(self, request: HttpRequest) -> QuerySet[Delivery]:
        return staff.deliveries(request.user).select_related("webhook")

    @admin.display(description="message", ordering="type")
    def message(self, row: Delivery) -> SafeString:
        return format_html(
            '<a class="row-name" href="{}">{}</a><span class="row-more">to {}</span>',
            self.page_url(row),
            row.type,
            row.webhook,
        )

    @admin.display(description="status", ordering="status")
    def status_chip(self, row: Delivery) -> SafeString:
        return cells.chip(row.status)

    @admin.display(description="last answer")
    def answer(self, row: Delivery) -> str:
        return answer_of(row)

    @admin.display(description="next try", ordering="next_try_at")
    def next_try(self, row: Delivery) -> SafeString:
        return cells.when(row.next_try_at, empty="–")

    @admin.display(description="queued", ordering="created_at")
    def queued(self, row: Delivery) -> SafeString:
        return cells.when(row.created_at)

    def page_context(self, request: HttpRequest, row: Delivery) -> dict[str, Any]:
        return {"title": row.type, "body": json.dumps(row.document, indent=2), **line_of(row)}

    def change_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> HttpResponse:
        """There is no form of a delivery: lead to its page."""
        row = self.visible_row(request, object_id)
        if request.method != "GET":
            raise PermissionDenied
        return HttpResponseRedirect(self.page_url(row))


def answer_of(row: Delivery) -> str:
    """Return the last answer in a word: its status, or what was wrong."""
    return str(row.answer_status or row.fault or "–")


def line_of(row: Delivery) -> dict[str, Any]:
    """Return a delivery as pages show it."""
    return {
        "delivery": row,
        "chip": cells.chip(row.status),
        "answer": answer_of(row),
        "next_try": cells.when(row.next_try_at, empty="–"),
        "tried": cells.when(row.tried_at),
        "queued": cells.when(row.created_at),
    }
