"""The screen of services: list, page with the service's keys, form, pause; every change is one of apikeys.actions."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, Max, Q, QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apikeys import actions, conf, staff
from apikeys.admin import cells
from apikeys.admin.changes import Change, ChangesMixin, may_change
from apikeys.admin.forms import OptionalReasonForm, ReasonForm
from apikeys.admin.service_forms import ServiceForm
from apikeys.admin.usage import facts_of_service
from apikeys.models import ApiKey, AuditEvent, Service
from apikeys.site import actor_of

DISABLE: Change[Service] = Change(
    name="disable",
    verb="Disable",
    done="disabled",
    consequence="Every key is refused from the next request on, until the service is enabled again.",
    form=ReasonForm,
    apply=lambda row, facts, actor: actions.disable_service(service=row, reason=facts["reason"], actor=actor),
    may=may_change,
    suits=lambda row: not row.is_disabled,
    is_grave=True,
)
ENABLE: Change[Service] = Change(
    name="enable",
    verb="Enable",
    done="enabled",
    consequence="The keys work again, except those that are revoked, expired or disabled themselves.",
    form=OptionalReasonForm,
    apply=lambda row, facts, actor: actions.enable_service(service=row, reason=facts["reason"], actor=actor),
    may=may_change,
    suits=lambda row: row.is_disabled,
)
USABLE = Q(keys__revoked_at__isnull=True, keys__expires_at__gt=Now(), keys__disabled_at__isnull=True)


class PauseFilter(admin.SimpleListFilter):
    title = "status"
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("active", "Active"), ("disabled", "Disabled")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Service]) -> QuerySet[Service]:
        if self.value() is None:
            return queryset
        return queryset.filter(disabled_at__isnull=self.value() == "active")


@admin.register(Service)
class ServiceAdmin(ChangesMixin[Service]):
    form = ServiceForm
    changes: tuple[Change[Service], ...] = (DISABLE, ENABLE)
    list_display = ("name", "owner", "status", "usable_keys", "last_activity")
    list_display_links = None
    list_filter = (PauseFilter,)
    lookups = frozenset({"status"})
    search_fields = ("service_id", "description", "owner", "contact")
    search_help_text = "Id, description, owner or contact"
    page_template = "apikeys/admin/service.html"
    fieldsets = (
        (None, {"fields": ("service_id", "description", "owner", "contact")}),
        (
            "What its new keys get",
            {
                "fields": ("key_preset", "key_days", "key_rate_limit_per_hour"),
                "description": "Unless whoever issues a key says otherwise. Keys that exist stay as they are.",
            },
        ),
        ("Single scopes, instead of a preset or on top", {"fields": ("key_scopes",), "classes": ("collapse",)}),
        ("Where it acts", {"fields": ("pinned_to", "signed_addresses")}),
        ("Who may act for it", {"fields": ("key_issuers",)}),
    )

    def visible_rows(self, request: HttpRequest) -> QuerySet[Service]:
        counted = staff.services(request.user).annotate(
            usable_keys=Count("keys", filter=USABLE), last_activity=Max("keys__last_used_at")
        )
        # Grouped rows lose the model's own order.
        return counted.order_by("service_id")

    def get_readonly_fields(self, request: HttpRequest, obj: Service | None = None) -> tuple[str, ...]:
        return ("service_id",) if obj else ()

    @admin.display(description="service", ordering="service_id")
    def name(self, row: Service) -> SafeString:
        return format_html(
            '<a class="row-name" href="{}">{}</a><span class="row-more">{}</span>',
            self.page_url(row),
            row.service_id,
            row.description,
        )

    @admin.display
    def status(self, row: Service) -> SafeString:
        return cells.chip("disabled" if row.is_disabled else "active")

    @admin.display(description="keys in use", ordering="usable_keys")
    def usable_keys(self, row: Service) -> int:
        count: int = row.usable_keys  # type: ignore[attr-defined]
        return count

    @admin.display(description="last activity", ordering="last_activity")
    def last_activity(self, row: Service) -> SafeString:
        return cells.when(row.last_activity)  # type: ignore[attr-defined]

    def page_context(self, request: HttpRequest, row: Service) -> dict[str, Any]:
        keys = staff.keys(request.user).with_status().filter(service=row)
        return {
            "service": row,
            "keys": [key_line(key) for key in keys[: self.list_per_page]],
            "keys_count": keys.count(),
            "chip": self.status(row),
            "changes": self.changes_of(request, row),
            "may_issue": not row.is_disabled and staff.may_issue(request.user, row),
            "may_change": self.has_change_permission(request, row),
            "may_see_events": staff.may(request.user, "view", AuditEvent),
            "access": cells.access(row.default_scopes),
            "days": row.default_days or conf.default_days(),
            "rate": row.default_rate_limit_per_hour or conf.rate_limit_per_hour(),
            "issuers": row.issuers.all(),
            **facts_of_service(request, row),
        }

    def change_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> Any:
        """Show the form to whoever may change the service, its page to others."""
        row = self.visible_row(request, object_id)
        if request.method == "GET" and not self.has_change_permission(request, row):
            return HttpResponseRedirect(self.page_url(row))
        return super().change_view(request, object_id, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: Service, form: Any, change: bool) -> None:
        obj.pk = save(form.cleaned_data, actor_of(request), obj if change else None).pk

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Save nothing: the actions did."""

    def response_add(self, request: HttpRequest, obj: Service, post_url_continue: str | None = None) -> HttpResponse:
        self.message_user(request, f"Service {obj} is registered. Next: issue its first key.")
        return HttpResponseRedirect(self.page_url(obj))

    def response_change(self, request: HttpRequest, obj: Service) -> HttpResponse:
        self.message_user(request, f"Service {obj} is saved.")
        return HttpResponseRedirect(self.page_url(obj))


def save(facts: dict[str, Any], actor: actions.Actor, service: Service | None) -> Service:
    """Carry out what the form says, as one action for each kind of change; None registers a new service."""
    if service is None:
        names = ("service_id", "description", "owner")
        service = actions.create_service(**{name: facts[name] for name in names}, actor=actor)
    service = actions.change_service(
        service=service,
        actor=actor,
        description=facts["description"],
        owner=facts["owner"],
        contact=facts["contact"],
        default_scopes=facts["key_scopes"],
        default_days=facts["key_days"],
        default_rate_limit_per_hour=facts["key_rate_limit_per_hour"],
    )
    actions.set_issuers(service=service, users=facts["key_issuers"], actor=actor)
    if facts["signed_addresses"] != service.presigned_urls:
        actions.set_presigned_urls(service=service, is_on=facts["signed_addresses"], actor=actor)
    if "pinned_to" in facts and facts["pinned_to"] != service.workspaces:
        actions.pin_service(service=service, workspaces=facts["pinned_to"], actor=actor)
    return service


def key_line(key: ApiKey) -> dict[str, Any]:
    """Return a key as lists outside of its own screen show it."""
    return {
        "key": key,
        "url": reverse("admin:apikeys_apikey_page", args=[key.pk]),
        "chip": cells.chip(key.status),  # type: ignore[attr-defined]
        "access": cells.access(key.scopes),
        "last_used": cells.when(key.last_used_at),
        "expires": cells.when(key.expires_at),
    }
