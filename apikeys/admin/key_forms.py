"""The forms of keys: issue, rotate, find by secret, note. They ask; apikeys.actions decides and writes."""

import datetime
import secrets
from collections.abc import Callable
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet

from apikeys import conf, keys, rules
from apikeys.admin.access import AccessFormMixin
from apikeys.admin.forms import LinesField, kept_to_the_rules
from apikeys.models import ApiKey, Service

GRACES = {
    "0": "Now: the old key ends at once",
    "3600": "1 hour",
    "86400": "24 hours",
    "604800": "7 days",
}
LONGEST_PASTE = 256


class IssueForm(AccessFormMixin, forms.Form):
    """A new key. ``form_token`` makes the same form, sent twice, one key."""

    service = forms.ModelChoiceField(Service.objects.none(), empty_label="Choose a service")
    name = forms.CharField(
        max_length=100,
        help_text="What it is for, like “ci” or “nightly training”.",
        widget=forms.TextInput(attrs={"class": "vTextField", "autocomplete": "off"}),
    )
    preset = forms.ChoiceField(required=False, label="Access", widget=forms.RadioSelect)
    scopes = forms.MultipleChoiceField(required=False, label="Single scopes", widget=forms.CheckboxSelectMultiple)
    expires_in_days = forms.IntegerField(required=False, label="Ends after", min_value=1)
    allowed_ips = LinesField(
        required=False, label="Networks", help_text="Where it may be used from, like 192.0.2.0/24. Empty: anywhere."
    )
    rate_limit_per_hour = forms.IntegerField(
        required=False, label="Calls an hour", min_value=rules.MINIMUM_RATE, max_value=rules.MAXIMUM_RATE
    )
    environment = forms.ChoiceField(
        choices=[(word, f"hk_{word}_…") for word in keys.ENVIRONMENTS],
        label="Begins with",
        help_text="For people and scanners; it grants nothing.",
    )
    note = forms.CharField(
        required=False,
        max_length=500,
        widget=forms.TextInput(attrs={"class": "vTextField"}),
        help_text="What else people should know. Never the key itself.",
    )
    form_token = forms.CharField(max_length=64, widget=forms.HiddenInput, initial=lambda: secrets.token_urlsafe(16))

    def __init__(
        self,
        *args: Any,
        services: QuerySet[Service],
        grantable: Callable[[Service | None], frozenset[str]],
        chosen: Service | None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.grantable = grantable
        field: Any = self.fields["service"]
        field.queryset = services
        self.initial["service"] = chosen
        self.offer_access(grantable(chosen), (), none=_own_default(chosen))
        days = (chosen and chosen.default_days) or conf.default_days()
        self.fields["expires_in_days"].widget.attrs["placeholder"] = days
        self.fields["expires_in_days"].help_text = f"Days. Empty: {days}. At most {conf.maximum_days()}."
        rate = (chosen and chosen.default_rate_limit_per_hour) or conf.rate_limit_per_hour()
        self.fields["rate_limit_per_hour"].help_text = f"Empty: {rate:,}."

    def clean_expires_in_days(self) -> int | None:
        days: int | None = self.cleaned_data["expires_in_days"]
        kept_to_the_rules(rules.refuse_days)(days)
        return days

    def clean_allowed_ips(self) -> list[str]:
        return kept_to_the_rules(rules.networks)(self.cleaned_data["allowed_ips"])

    def clean(self) -> dict[str, Any]:
        facts = super().clean() or self.cleaned_data
        for name in ("name", "note"):
            kept_to_the_rules(rules.refuse_secret)(facts.get(name, ""))
        service = facts.get("service")
        chosen = self.chosen_scopes() or (service.default_scopes if service else [])
        if service and not chosen:
            self.add_error("preset", f"Service {service} has no default: choose a preset or single scopes.")
        if excess := ", ".join(sorted(set(chosen) - self.grantable(service))):
            raise ValidationError(f"You may not give {excess}. An administrator can.")
        return facts | {"scopes": chosen}


class RotateForm(forms.Form):
    """How long the old key works on."""

    grace = forms.ChoiceField(
        choices=list(GRACES.items()),
        initial="86400",
        label="The old key works on for",
        widget=forms.RadioSelect,
        help_text="Never past its own expiry.",
    )

    def clean_grace(self) -> datetime.timedelta:
        return datetime.timedelta(seconds=int(self.cleaned_data["grace"]))


class FindForm(forms.Form):
    """A whole key, pasted to find its row; it is never shown again, not even in this form."""

    secret = forms.CharField(
        max_length=LONGEST_PASTE,
        label="The whole key",
        widget=forms.PasswordInput(attrs={"autocomplete": "off", "class": "vTextField", "placeholder": "hk_live_…"}),
    )

    def clean_secret(self) -> keys.Key:
        try:
            return keys.parse(self.cleaned_data["secret"].strip())
        except keys.MalformedKeyError as error:
            raise ValidationError(f"This is no key: {error}.") from None


class NoteForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = ApiKey
        fields = ("note",)
        widgets = {"note": forms.TextInput(attrs={"class": "vTextField"})}


def _own_default(service: Service | None) -> str:
    if service is None:
        return "The service's default"
    words = ", ".join(service.default_scopes)
    return f"The default of {service}: {words}" if words else f"{service} has no default: choose below"
