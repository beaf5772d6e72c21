"""How single facts look in lists and on pages: a time, a status, a scope; knows no screen."""

import datetime
from collections.abc import Iterable

from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from apikeys import scopes


def when(moment: datetime.datetime | None, empty: str = "never") -> SafeString:
    """Return a time as people say it, with the exact one for the pointer and for machines."""
    if moment is None:
        return format_html('<span class="quiet">{}</span>', empty)
    distance = moment - timezone.now()
    words = _length(abs(distance))
    told = "just now" if not words else f"in {words}" if distance > datetime.timedelta() else f"{words} ago"
    return format_html('<time datetime="{}" title="{} UTC">{}</time>', moment.isoformat(), f"{moment:%F %T}", told)


def exactly(moment: datetime.datetime) -> SafeString:
    """Return a time to the second, in UTC."""
    return format_html('<time datetime="{}">{}</time>', moment.isoformat(), f"{moment:%F %T}")


def action(word: str) -> str:
    """Return the words for an action of the audit trail: ``api_key_issued`` is *key issued*."""
    return word.removeprefix("api_").replace("_", " ")


def chip(word: str) -> SafeString:
    """Return a status as a small label; its colour only repeats what it says."""
    return format_html('<span class="chip chip-{}">{}</span>', word.replace(" ", "-"), word)


def access(words: Iterable[str]) -> SafeString:
    """Return what a key may do in a word or two: its preset, or its scopes."""
    held = list(words)
    if preset := scopes.preset_of(held):
        return format_html('<span title="{}">{}</span>', ", ".join(held), preset)
    return format_html_join(" ", "<code>{}</code>", ((word,) for word in held))


def _length(length: datetime.timedelta) -> str:
    """Return a span of time in its largest unit that says enough; an empty text for less than a minute."""
    minutes = int(length.total_seconds() // 60)
    for unit, size, enough in (("day", 1440, 2), ("hour", 60, 2), ("minute", 1, 1)):
        if minutes >= enough * size:
            number = minutes // size
            return f"{number} {unit}{'' if number == 1 else 's'}"
    return ""
