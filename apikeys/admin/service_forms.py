"""The form of a service: what it is called, what its new keys get, where it acts and who may act for it."""

from typing import Any

from django import forms
from django.contrib.auth.models import User
from django.db.models import Q, QuerySet

from apikeys import conf, rules, scopes
from apikeys.admin.access import AccessFormMixin
from apikeys.admin.forms import LinesField, kept_to_the_rules
from apikeys.models import Service


class ServiceForm(AccessFormMixin, forms.ModelForm):  # type: ignore[type-arg]
    """Names of the screen beside the model's own: what actions write is not editable by Django itself."""

    key_preset = forms.ChoiceField(required=False, label="Access", widget=forms.RadioSelect)
    key_scopes = forms.MultipleChoiceField(required=False, label="Single scopes", widget=forms.CheckboxSelectMultiple)
    key_days = forms.IntegerField(required=False, label="Lifetime in days", min_value=1)
    key_rate_limit_per_hour = forms.IntegerField(
        required=False,
        label="Calls an hour",
        min_value=rules.MINIMUM_RATE,
        max_value=rules.MAXIMUM_RATE,
        help_text="Empty: the portal's rate.",
    )
    pinned_to = LinesField(
        required=False,
        label="MLflow workspaces",
        help_text="One a line; the first is its default. Empty: MLflow's default workspace.",
    )
    signed_addresses = forms.BooleanField(
        required=False,
        label="Signed addresses of the artifact store",
        help_text="Large transfers go past the portal, straight to the store. Its callers must reach it.",
    )
    key_issuers = forms.ModelMultipleChoiceField(
        User.objects.none(),
        required=False,
        label="Key issuers",
        widget=forms.CheckboxSelectMultiple,
        help_text="Staff in the group “key issuer” who may issue, rotate, pause and revoke its keys.",
    )

    class Meta:
        model = Service
        fields = ("service_id", "description", "owner", "contact")
        help_texts = {
            "service_id": "The calling program's name: 1 to 63 of a-z, 0-9 and hyphen. It stays for good.",
            "owner": "Who answers for it: a person or a team.",
            "contact": "Where to reach them: an address or a channel.",
        }
        widgets = {name: forms.TextInput(attrs={"class": "vTextField"}) for name in ("description", "owner", "contact")}

    preset_field, scopes_field = "key_preset", "key_scopes"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"label_suffix": "", **kwargs})
        row = self.instance
        self.offer_access(scopes.ALL, row.default_scopes, none="No default: whoever issues a key chooses")
        self.initial.update(
            {
                "key_days": row.default_days,
                "key_rate_limit_per_hour": row.default_rate_limit_per_hour,
                "pinned_to": row.workspaces,
                "signed_addresses": row.presigned_urls,
                "key_issuers": row.issuers.all() if row.pk else [],
            }
        )
        self.fields["key_days"].help_text = f"Empty: {conf.default_days()}. At most {conf.maximum_days()}."
        issuers: Any = self.fields["key_issuers"]
        issuers.queryset = _possible_issuers(row)

    def clean_pinned_to(self) -> list[str]:
        names: list[str] = self.cleaned_data["pinned_to"]
        kept_to_the_rules(rules.refuse_bad_workspaces)(names)
        return names

    def clean_key_days(self) -> int | None:
        days: int | None = self.cleaned_data["key_days"]
        kept_to_the_rules(rules.refuse_days)(days)
        return days

    def clean(self) -> dict[str, Any]:
        facts = super().clean() or self.cleaned_data
        for name in ("description", "owner", "contact"):
            kept_to_the_rules(rules.refuse_secret)(facts.get(name, ""))
        return facts | {"key_scopes": self.chosen_scopes()}


def _possible_issuers(service: Service) -> QuerySet[User]:
    """Return the staff whom the listing helps, and those who are listed already."""
    able = User.objects.with_perm("apikeys.add_apikey", include_superusers=False).filter(is_staff=True)
    listed = service.issuers.values("pk") if service.pk else User.objects.none().values("pk")
    return User.objects.filter(Q(pk__in=able.values("pk")) | Q(pk__in=listed)).order_by("username")
