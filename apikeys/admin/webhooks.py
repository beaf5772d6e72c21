"""The screen of webhooks; every change is one of apikeys.webhooks.

A webhook's secret is shown once, in the answer to the POST that made it, and kept nowhere.
"""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Max, QuerySet
from django.forms import Media, Script
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from apikeys import outbox, staff, webhooks
from apikeys.actions import ActionRefusedError
from apikeys.admin import cells
from apikeys.admin.changes import Change, ChangesMixin, Outcome, may_change
from apikeys.admin.deliveries import line_of
from apikeys.admin.forms import OptionalReasonForm, ReasonForm
from apikeys.deliveries import TYPES
from apikeys.destinations import origin_of
from apikeys.models import Delivery, Webhook
from apikeys.site import actor_of
from apikeys.webhooks import SignedWebhook

DELIVERIES_ON_A_PAGE = 10
SCRIPT = Media(js=[Script("hokusai_portal/secrets.js", defer=True)])  # type: ignore[list-item]  # the stubs know names alone

TEST: Change[Webhook] = Change(
    name="test",
    verb="Send a test",
    done="sent a test",
    consequence="A message of type webhook.test, signed as all are, is sent at once.",
    form=forms.Form,
    apply=lambda row, _, actor: _try_at_once(webhooks.queue_test(webhook=row, actor=actor)),
    may=may_change,
    suits=lambda row: not row.is_disabled,
)
REPLACE: Change[Webhook] = Change(
    name="replace-secret",
    verb="Replace the secret",
    done="given a new secret",
    consequence="A new secret is shown once. For 24 hours each message is signed with both, so that none is refused.",
    form=forms.Form,
    apply=lambda row, _, actor: webhooks.replace_secret(webhook=row, actor=actor),
    may=may_change,
    suits=lambda _: True,
)
DISABLE: Change[Webhook] = Change(
    name="disable",
    verb="Disable",
    done="disabled",
    consequence="Nothing is sent until it is enabled again, and what happens meanwhile is not sent later.",
    form=ReasonForm,
    apply=lambda row, facts, actor: webhooks.disable_webhook(webhook=row, reason=facts["reason"], actor=actor),
    may=may_change,
    suits=lambda row: not row.is_disabled,
    is_grave=True,
)
ENABLE: Change[Webhook] = Change(
    name="enable",
    verb="Enable",
    done="enabled",
    consequence="What was queued before the pause is sent, and what happens from now on.",
    form=OptionalReasonForm,
    apply=lambda row, facts, actor: webhooks.enable_webhook(webhook=row, reason=facts["reason"], actor=actor),
    may=may_change,
    suits=lambda row: row.is_disabled,
)


class WebhookForm(forms.Form):
    """Where messages go, and which."""

    webhook_id = forms.CharField(
        max_length=63,
        label="Name",
        validators=Webhook._meta.get_field("webhook_id").validators,
        widget=forms.TextInput(attrs={"class": "vTextField", "autocomplete": "off"}),
        help_text="1 to 63 of a-z, 0-9 and hyphen. It stays for good.",
    )
    url = forms.CharField(
        max_length=2000,
        label="URL",
        widget=forms.URLInput(attrs={"class": "vTextField", "placeholder": "https://", "autocomplete": "off"}),
        help_text="Public and https, unless HOKUSAI_WEBHOOK_NETWORKS says otherwise.",
    )
    types = forms.MultipleChoiceField(
        choices=[(word, format_html("<code>{}</code> {}", word, meaning)) for word, meaning in TYPES.items()],
        initial=list(TYPES),
        label="Messages",
        widget=forms.CheckboxSelectMultiple,
    )


@admin.register(Webhook)
class WebhookAdmin(ChangesMixin[Webhook]):
    changes = (TEST, REPLACE, DISABLE, ENABLE)
    list_display = ("name", "messages", "status", "last_message")
    list_display_links = None
    search_fields = ("webhook_id",)
    search_help_text = "Name"
    page_template = "apikeys/admin/webhook.html"

    def visible_rows(self, request: HttpRequest) -> QuerySet[Webhook]:
        return staff.webhooks(request.user).annotate(last_at=Max("deliveries__created_at")).order_by("webhook_id")

    @admin.display(description="webhook", ordering="webhook_id")
    def name(self, row: Webhook) -> SafeString:
        return format_html(
            '<a class="row-name" href="{}">{}</a><span class="row-more">{}</span>',
            self.page_url(row),
            row.webhook_id,
            origin_of(row.url).partition("://")[2],
        )

    @admin.display
    def messages(self, row: Webhook) -> SafeString:
        return format_html_join(" ", "<code>{}</code>", ((word,) for word in row.types))

    @admin.display
    def status(self, row: Webhook) -> SafeString:
        return cells.chip("disabled" if row.is_disabled else "active")

    @admin.display(description="last message", ordering="last_at")
    def last_message(self, row: Webhook) -> SafeString:
        return cells.when(row.last_at)  # type: ignore[attr-defined]

    def page_context(self, request: HttpRequest, row: Webhook) -> dict[str, Any]:
        return {
            "webhook": row,
            "chip": self.status(row),
            "changes": self.changes_of(request, row),
            "meanings": [(word, TYPES[word]) for word in row.types if word in TYPES],
            "lines": [line_of(delivery) for delivery in row.deliveries.all()[:DELIVERIES_ON_A_PAGE]],
        }

    def change_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> HttpResponse:
        """There is no form of a webhook that exists: lead to its page."""
        row = self.visible_row(request, object_id)
        if request.method != "GET":
            raise PermissionDenied
        return HttpResponseRedirect(self.page_url(row))

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Ask where messages go; answer a good POST with the secret, this once."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = WebhookForm(request.POST if request.method == "POST" else None, label_suffix="")
        if form.is_valid():
            try:
                made = webhooks.create_webhook(**form.cleaned_data, actor=actor_of(request))
                return self.show_once(request, [made])
            except ActionRefusedError as error:
                # The form itself has refused all else.
                form.add_error("url", str(error))
            except ValidationError as error:
                form.add_error("webhook_id", ValidationError(error.messages))
        return self.render(request, "apikeys/admin/webhook_form.html", title="Add a webhook", form=form)

    def show_once(self, request: HttpRequest, made: list[SignedWebhook]) -> HttpResponse:
        """Return the one page that holds secrets; the site forbids to store any of its pages."""
        title = "The webhook's secret" if len(made) == 1 else "The webhooks' secrets"
        return self.render(request, "apikeys/admin/webhook_secret.html", title=title, made=made, media=SCRIPT)

    def finish(self, request: HttpRequest, change: Change[Webhook], outcomes: list[Outcome[Webhook]]) -> HttpResponse:
        if made := [outcome.result for outcome in outcomes if isinstance(outcome.result, SignedWebhook)]:
            return self.show_once(request, made)
        if len(outcomes) == 1 and isinstance(delivery := outcomes[0].result, Delivery):
            self.message_user(request, *_verdict(delivery))
            return HttpResponseRedirect(self.page_url(outcomes[0].row))
        return super().finish(request, change, outcomes)


def _try_at_once(delivery: Delivery) -> Delivery:
    outbox.attempt(delivery)
    delivery.refresh_from_db()
    return delivery


def _verdict(delivery: Delivery) -> tuple[str, int]:
    if delivery.status == "delivered":
        return f"The test was delivered: {delivery.answer_status}.", messages.SUCCESS
    return f"The test was not delivered: {delivery.fault}. The worker tries again.", messages.WARNING
