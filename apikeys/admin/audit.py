"""The screen of the audit trail: a timeline to read, narrow down and take along; changes nothing in it."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import BadRequest, PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseRedirect, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apikeys import staff, trail
from apikeys.admin import cells, exports
from apikeys.admin.audit_filters import NarrowFilter
from apikeys.admin.base import PortalModelAdmin
from apikeys.models import AuditEvent
from apikeys.site import actor_of

ROWS_AT_A_TIME = 2000
EXPORT_NAMES = (("csv", "CSV"), ("jsonl", "JSON Lines"))


@admin.register(AuditEvent)
class AuditAdmin(PortalModelAdmin[AuditEvent]):
    list_display = ("moment", "what", "who", "service", "reason")
    list_display_links = None
    list_filter = (NarrowFilter,)
    lookups = frozenset(NarrowFilter.parameters)
    search_fields = ("object_id", "request_id", "reason")
    search_help_text = "Public id, service, request id or reason"
    # Counting a trail of millions takes longer than reading a page of it.
    show_full_result_count = False
    page_template = "apikeys/admin/event.html"

    def visible_rows(self, request: HttpRequest) -> QuerySet[AuditEvent]:
        return staff.events(request.user)

    def get_urls(self) -> list[URLPattern]:
        guard = self.admin_site.admin_view
        return [
            *(
                path(f"export.{word}", guard(self._export_view(word)), name=f"apikeys_auditevent_{word}")
                for word in exports.FORMS
            ),
            *super().get_urls(),
        ]

    @admin.display(description="when (UTC)", ordering="at")
    def moment(self, row: AuditEvent) -> SafeString:
        return cells.exactly(row.at)

    @admin.display(description="what", ordering="action")
    def what(self, row: AuditEvent) -> SafeString:
        return format_html(
            '<a class="row-name" href="{}">{}</a><code class="row-more">{}</code>',
            self.page_url(row),
            cells.action(row.action).capitalize(),
            row.object_id,
        )

    @admin.display(description="who", ordering="actor")
    def who(self, row: AuditEvent) -> SafeString:
        return format_html('{}<span class="row-more">{}</span>', row.actor, row.address or "")

    @admin.display(ordering="service_id")
    def service(self, row: AuditEvent) -> str:
        return row.service_id

    def page_context(self, request: HttpRequest, row: AuditEvent) -> dict[str, Any]:
        words = sorted({*row.before, *row.after})
        return {
            "event": row,
            "moment": cells.exactly(row.at),
            "title": cells.action(row.action).capitalize(),
            "facts": [
                (word.replace("_", " "), _shown(row.before.get(word)), _shown(row.after.get(word))) for word in words
            ],
            "key": staff.keys(request.user).filter(public_id=row.object_id).first(),
            "service": staff.services(request.user).filter(service_id=row.service_id).first(),
        }

    def change_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> Any:
        """There is no form of an event: lead to its page."""
        row = self.visible_row(request, object_id)
        if request.method != "GET":
            raise PermissionDenied
        return HttpResponseRedirect(self.page_url(row))

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        return super().changelist_view(request, {"export_forms": EXPORT_NAMES, **(extra_context or {})})

    def _export_view(self, word: str) -> Callable[[HttpRequest], HttpResponseBase]:
        return lambda request: self._export(request, word)

    def _export(self, request: HttpRequest, word: str) -> HttpResponseBase:
        """Stream what the list would show, all pages of it; a POST, because the trail notes it."""
        if request.method != "POST" or not self.has_view_permission(request):
            raise PermissionDenied
        try:
            rows = self.get_changelist_instance(request).get_queryset(request)
        except IncorrectLookupParameters as error:
            raise BadRequest from error
        trail.record_export(form=word, filters=request.GET.urlencode(), actor=actor_of(request))
        kind, lines = exports.FORMS[word]
        reply = StreamingHttpResponse(lines(rows.iterator(chunk_size=ROWS_AT_A_TIME)), content_type=kind)
        reply["Content-Disposition"] = f'attachment; filename="audit-trail.{word}"'
        return reply


def _shown(fact: Any) -> str:
    if isinstance(fact, list):
        fact = ", ".join(map(str, fact))
    return "–" if fact in {None, ""} else str(fact)
