"""The audit trail as CSV and as JSON Lines, row by row; reads what it is given and holds no more than a piece of it."""

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from apikeys import spreadsheets
from apikeys.models import AuditEvent

COLUMNS = (
    *("id", "at", "action", "actor", "service_id", "object_id", "before", "after", "reason", "address", "request_id"),
)


def as_csv(events: Iterable[AuditEvent]) -> Iterator[str]:
    """Yield a heading and one line for each event, every cell quoted and none of them a formula."""
    yield from spreadsheets.lines(COLUMNS, ([_text(value) for value in _facts(event).values()] for event in events))


def as_json_lines(events: Iterable[AuditEvent]) -> Iterator[str]:
    """Yield one JSON object a line; ASCII only, so that nothing in it can steer a terminal."""
    for event in events:
        yield json.dumps(_facts(event)) + "\n"


FORMS: dict[str, tuple[str, Callable[[Iterable[AuditEvent]], Iterator[str]]]] = {
    "csv": ("text/csv; charset=utf-8", as_csv),
    "jsonl": ("application/jsonl", as_json_lines),
}


def _facts(event: AuditEvent) -> dict[str, Any]:
    return {name: getattr(event, name) for name in COLUMNS} | {"at": event.at.isoformat()}


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return json.dumps(value) if value else ""
    return "" if value is None else str(value)
