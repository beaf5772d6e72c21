"""Fields and small forms that several screens use: reasons, and lists of a line each; writes nothing."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from apikeys import rules


class ReasonForm(forms.Form):
    """Why something is done, for the audit trail."""

    reason = forms.CharField(
        max_length=rules.MAXIMUM_REASON_LENGTH,
        widget=forms.TextInput(attrs={"class": "vTextField", "autocomplete": "off"}),
        help_text="For the audit trail.",
    )

    def clean_reason(self) -> str:
        return kept_to_the_rules(rules.reason)(self.cleaned_data["reason"])


class OptionalReasonForm(ReasonForm):
    """The same where nobody has to explain."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"].required = False

    def clean_reason(self) -> str:
        reason: str = self.cleaned_data["reason"]
        kept_to_the_rules(rules.refuse_secret)(reason)
        return reason


class LinesField(forms.CharField):
    """A list of words, one a line or separated by commas."""

    widget = forms.Textarea(attrs={"rows": 2, "class": "vLargeTextField", "spellcheck": "false"})

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def clean(self, value: Any) -> list[str]:
        words = super().clean(value or "").replace(",", "\n").split("\n")
        return [word.strip() for word in words if word.strip()]

    def has_changed(self, initial: Any, data: Any) -> bool:
        return self.clean(data) != list(initial or [])


def kept_to_the_rules[**P, R](rule: Callable[P, R]) -> Callable[P, R]:
    """Return a rule of ``apikeys.rules`` that complains as a form does."""

    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return rule(*args, **kwargs)
        except rules.ActionRefusedError as error:
            raise ValidationError(str(error)) from None

    return call
