"""What is printed: documents, essential values, tables; nothing that a portal sends may move a terminal's cursor."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse


def clean(value: Any) -> str:
    """Return a value for a terminal: nothing that a portal sends may move its cursor."""
    text = " ".join(map(str, value)) if isinstance(value, list) else "-" if value is None or value == "" else str(value)
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def moment(text: Any) -> str:
    return clean(text)[:16].replace("T", " ")


def warn(sentence: str) -> None:
    print(f"hokusai-portal: warning: {sentence}", file=sys.stderr)


def show(arguments: argparse.Namespace, document: Any, essential: str, text: str) -> None:
    """Print a document with --json, the essential value with --quiet, else the text."""
    if arguments.as_json:
        print(json.dumps(document, indent=2, ensure_ascii=False))
    elif not arguments.quiet:
        print(text)
    elif essential:
        print(essential)


def facts(pairs: dict[str, str]) -> str:
    width = max(map(len, pairs))
    return "\n".join(f"  {word:<{width}}  {fact}" for word, fact in pairs.items())


def table(headings: tuple[str, ...], lines: list[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(headings, *lines)]
    return "\n".join("  ".join(f"{c:<{w}}" for c, w in zip(line, widths)).rstrip() for line in [headings, *lines])


def facts_of(key: dict[str, Any]) -> str:
    times = {"expires": moment(key["expires_at"]), "last used": moment(key.get("last_used_at"))}
    return facts({**{word: clean(key.get(word)) for word in ("name", "status", "scopes")}, **times})
