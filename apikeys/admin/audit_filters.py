"""Narrowing the audit trail down: action, actor, service, address and days, in one small form that needs no script."""

import datetime
from collections.abc import Iterator
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from apikeys.admin import cells
from apikeys.models import AuditEvent

# Every action that actions and the trail record; a new one gets its line in docs/admin.md.
ACTIONS = (
    *("api_key_issued", "api_key_rotated", "api_key_revoked", "api_key_disabled", "api_key_enabled"),
    *("api_key_annotated", "api_key_changed", "api_key_expiry_noticed", "api_key_seen_from_new_network"),
    "presigned_urls_issued",
    *("service_created", "service_changed", "service_issuers_set", "service_disabled", "service_enabled"),
    *("service_pinned", "service_presigning_set"),
    *("webhook_created", "webhook_secret_replaced", "webhook_disabled", "webhook_enabled", "webhook_tested"),
    *("staff_signed_in", "admin_denied", "audit_exported", "account_created", "account_changed"),
    *("group_created", "group_changed"),
)


class NarrowForm(forms.Form):
    """What to look for; an empty field asks for nothing."""

    action = forms.ChoiceField(
        required=False, choices=[("", "Every action"), *((word, cells.action(word).capitalize()) for word in ACTIONS)]
    )
    actor = forms.CharField(required=False, max_length=200)
    service = forms.CharField(required=False, max_length=63)
    address = forms.GenericIPAddressField(required=False)
    since = forms.DateField(required=False, widget=forms.DateInput(attrs={"type": "date"}))
    until = forms.DateField(required=False, widget=forms.DateInput(attrs={"type": "date"}))

    def lookups(self) -> dict[str, Any]:
        """Return the conditions of a valid form; both days belong to the time asked for."""
        asked = {name: value for name, value in self.cleaned_data.items() if value}
        conditions: dict[str, Any] = {name: asked[name] for name in ("action", "actor", "address") if name in asked}
        if "service" in asked:
            conditions["service_id"] = asked["service"]
        if "since" in asked:
            conditions["at__gte"] = _midnight(asked["since"])
        if "until" in asked and asked["until"] < datetime.date.max:
            conditions["at__lt"] = _midnight(asked["until"] + datetime.timedelta(days=1))
        return conditions


class NarrowFilter(admin.ListFilter):
    """All of NarrowForm as one filter of Django's list."""

    title = "narrow down"
    template = "apikeys/admin/narrow.html"
    parameters = tuple(NarrowForm.base_fields)

    def __init__(self, request: HttpRequest, params: dict[str, Any], model: Any, model_admin: Any) -> None:
        super().__init__(request, params, model, model_admin)
        self.used_parameters = {name: params.pop(name)[-1] for name in self.parameters if name in params}
        self.form = NarrowForm(self.used_parameters)

    def expected_parameters(self) -> list[str | None]:
        return list(self.parameters)

    def has_output(self) -> bool:
        return True

    def choices(self, changelist: Any) -> Iterator[dict[str, Any]]:
        """Yield what the form must carry along: the search."""
        yield {"name": "q", "value": changelist.query}

    def queryset(self, request: HttpRequest, queryset: QuerySet[AuditEvent]) -> QuerySet[AuditEvent]:
        return queryset.filter(**self.form.lookups()) if self.form.is_valid() else queryset.none()


def _midnight(day: datetime.date) -> datetime.datetime:
    return datetime.datetime.combine(day, datetime.time(), tzinfo=timezone.get_default_timezone())
