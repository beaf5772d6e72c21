"""The list of keys: what stands in it, and how a key is searched for without its secret."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apikeys.admin import cells
from apikeys.admin.key_filters import ExpiryFilter, StatusFilter, UseFilter
from apikeys.admin.key_forms import FindForm
from apikeys.admin.key_pages import KeyPages
from apikeys.models import ApiKey
from apikeys.redaction import redact_keys


@admin.register(ApiKey)
class KeyAdmin(KeyPages):
    list_display = ("key", "service_link", "status", "access", "last_used", "expires")
    list_display_links = None
    list_filter = (StatusFilter, UseFilter, ExpiryFilter, ("service", admin.RelatedOnlyFieldListFilter))
    lookups = frozenset({"status", "use", "expiry", "service__id__exact"})
    search_fields = ("public_id", "name", "note", "service__service_id", "service__owner")
    search_help_text = "Public id, name, note, service or owner"

    @admin.display(description="key", ordering="name")
    def key(self, row: ApiKey) -> SafeString:
        return format_html(
            '<a class="row-name" href="{}">{}</a><code class="row-more">{}</code>',
            self.page_url(row),
            row.name,
            row.public_id,
        )

    @admin.display(description="service", ordering="service__service_id")
    def service_link(self, row: ApiKey) -> SafeString:
        url = reverse("admin:apikeys_service_page", args=[row.service.pk])
        return format_html('<a href="{}">{}</a>', url, row.service.service_id)

    @admin.display
    def status(self, row: ApiKey) -> SafeString:
        return cells.chip(row.status)  # type: ignore[attr-defined]

    @admin.display
    def access(self, row: ApiKey) -> SafeString:
        return cells.access(row.scopes)

    @admin.display(ordering="last_used_at")
    def last_used(self, row: ApiKey) -> SafeString:
        return cells.when(row.last_used_at)

    @admin.display(ordering="expires_at")
    def expires(self, row: ApiKey) -> SafeString:
        return cells.when(row.expires_at)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Django's list; a whole key in the search box is answered without repeating it, and with a warning."""
        asked = request.GET.get("q", "")
        if (shown := redact_keys(asked)) != asked:
            advice = "it now stands in this browser's history, and perhaps in a proxy's log. Rotate it."
            self.message_user(request, f"That was a whole key: {advice}", messages.WARNING)
            return HttpResponseRedirect(f"{request.path}?{urlencode({'q': shown.partition('…')[0].strip()})}")
        return super().changelist_view(request, {"find_form": FindForm(), **(extra_context or {})})
