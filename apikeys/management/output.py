"""How commands print: aligned tables and JSON; knows no model."""

import datetime
import json
from collections.abc import Mapping, Sequence
from typing import Any


def add_output_arguments(parser: Any, *, quiet: str = "", env: str = "") -> None:
    """Offer ``--json`` and, where a command has use for them, ``--quiet`` and ``--env``: one of them at a time."""
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--json", action="store_true", dest="as_json", help="print one JSON document")
    if quiet:
        how.add_argument("--quiet", action="store_true", help=quiet)
    if env:
        how.add_argument("--env", action="store_true", dest="as_env", help=env)


def as_json(document: Any) -> str:
    """Return indented JSON; times as ISO 8601 with offset."""
    return json.dumps(document, indent=2, default=_plain, ensure_ascii=False)


def as_table(headings: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Return rows under headings, columns padded to their widest cell; an empty cell reads ``-``."""
    lines = [list(headings), *([_cell(value) for value in row] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headings))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def as_facts(facts: Mapping[str, Any]) -> str:
    """Return a line for each fact, indented, its words padded to the longest; an empty one reads ``-``."""
    width = max(map(len, facts), default=0)
    return "\n".join(f"  {word.ljust(width)}  {_cell(fact)}" for word, fact in facts.items())


def _cell(value: Any) -> str:
    if isinstance(value, datetime.datetime):
        return value.strftime("%Y-%m-%d %H:%M")
    if isinstance(value, list | tuple):
        value = " ".join(map(str, value))
    return str(value) if value not in {None, ""} else "-"


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime.datetime) else str(value)
