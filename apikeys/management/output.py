"""How commands print: aligned tables and JSON; knows no model."""

import datetime
import json
from collections.abc import Sequence
from typing import Any


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


def _cell(value: Any) -> str:
    if isinstance(value, datetime.datetime):
        return value.strftime("%Y-%m-%d %H:%M")
    return str(value) if value not in {None, ""} else "-"


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime.datetime) else str(value)
