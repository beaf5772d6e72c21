"""Choosing what a key may do, on a form: a preset, single scopes, or both; decides nobody's rights."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.utils.html import format_html

from apikeys import scopes


class AccessFormMixin(forms.BaseForm):
    """For a form that declares a choice of presets and one of scopes, and names both."""

    preset_field = "preset"
    scopes_field = "scopes"

    def offer_access(self, grantable: Iterable[str], held: Iterable[str], none: str) -> None:
        """Offer what may be given, with what is held ticked; ``none`` is the sentence for choosing nothing."""
        allowed, ticked = set(grantable), list(held)
        presets: Any = self.fields[self.preset_field]
        presets.choices = [
            ("", none),
            *(
                (name, format_html("<strong>{}</strong> {}", name, scopes.PRESET_DESCRIPTIONS[name]))
                for name, words in scopes.PRESETS.items()
                if allowed.issuperset(words)
            ),
        ]
        singles: Any = self.fields[self.scopes_field]
        singles.choices = [
            (word, format_html("<code>{}</code> {}", word, meaning))
            for word, meaning in scopes.DESCRIPTIONS.items()
            if word in allowed
        ]
        preset = scopes.preset_of(ticked)
        self.initial.update({self.preset_field: preset, self.scopes_field: [] if preset else ticked})

    def chosen_scopes(self) -> list[str]:
        """Return the preset's scopes and the single ones together, without repeats."""
        preset = scopes.PRESETS.get(self.cleaned_data.get(self.preset_field, ""), ())
        return sorted({*preset, *self.cleaned_data.get(self.scopes_field, ())})
