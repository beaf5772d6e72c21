"""The audit trail as CSV and as JSON Lines, row by row; reads what it is given and holds no more than a piece of it."""

import csv
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from apikeys.models import AuditEvent

COLUMNS = (
    *("id", "at", "action", "actor", "service_id", "object_id", "before", "after", "reason", "address", "request_id"),
)
# What a spreadsheet takes for the beginning of a formula, also behind space and in full width.
FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001


class _Echo:
    """A file that returns what is written: csv then yields lines."""

    def write(self, line: str) -> str:
        return line


def as_csv(events: Iterable[AuditEvent]) -> Iterator[str]:
    """Yield a heading and one line for each event, every cell quoted and none of them a formula."""
    writer = csv.writer(_Echo(), quoting=csv.QUOTE_ALL)
    yield writer.writerow(COLUMNS)
    for event in events:
        yield writer.writerow([harmless(_text(value)) for value in _facts(event).values()])


def as_json_lines(events: Iterable[AuditEvent]) -> Iterator[str]:
    """Yield one JSON object a line; ASCII only, so that nothing in it can steer a terminal."""
    for event in events:
        yield json.dumps(_facts(event)) + "\n"


FORMS: dict[str, tuple[str, Callable[[Iterable[AuditEvent]], Iterator[str]]]] = {
    "csv": ("text/csv; charset=utf-8", as_csv),
    "jsonl": ("application/jsonl", as_json_lines),
}


def harmless(cell: str) -> str:
    """Return a cell that no spreadsheet computes: behind an apostrophe where it would."""
    return f"'{cell}" if cell.lstrip(" ").startswith(FORMULA_SIGNS) else cell


def _facts(event: AuditEvent) -> dict[str, Any]:
    return {name: getattr(event, name) for name in COLUMNS} | {"at": event.at.isoformat()}


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return json.dumps(value) if value else ""
    return "" if value is None else str(value)
