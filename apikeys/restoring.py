"""After a restore: end again what ended since the backup, as told by lines of the log or of an exported trail.

It only takes away: a key or service that lines say was paused, and later enabled, is left as the backup has it.
"""

import datetime
import json
from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

from apikeys import actions
from apikeys.models import ApiKey, Service, database_now

REVOKED, ROTATED = "api_key_revoked", "api_key_rotated"
PAUSES = {"api_key_disabled": "api_key_enabled", "service_disabled": "service_enabled"}
ACTIONS = {REVOKED, ROTATED, *PAUSES, *PAUSES.values()}


class Event(NamedTuple):
    """What the trail says of an object; ``at`` sorts, and is ISO 8601 in UTC."""

    at: str
    action: str
    object_id: str
    reason: str
    after: dict[str, Any]


def read(lines: Iterable[str]) -> list[Event]:
    """Return the events of interest among lines, the oldest first; lines that are something else are passed over."""
    found = set()
    for line in lines:
        document = _document(line)
        action, object_id = document.get("action"), document.get("object_id")
        if action in ACTIONS and isinstance(object_id, str):
            facts = document.get("after")
            after = json.dumps(facts if isinstance(facts, dict) else {}, sort_keys=True)
            at = str(document.get("at") or document.get("timestamp") or "")
            found.add((at, action, object_id, str(document.get("reason") or ""), after))
    return [Event(at, action, name, reason, json.loads(after)) for at, action, name, reason, after in sorted(found)]


def end_again(events: Iterable[Event], actor: actions.Actor) -> Counter[str]:
    """Apply the events and return how many did what: ``revoked``, ``disabled``, ``already`` or ``unknown``.

    Each change is an event of its own in the trail, with the reason that stood in the lines.
    """
    done: Counter[str] = Counter()
    last = {(event.object_id, PAUSES.get(event.action, event.action)): event for event in events}
    for event in last.values():
        if event.action in PAUSES.values():
            continue
        done[_apply(event, actor)] += 1
    return done


def _apply(event: Event, actor: actions.Actor) -> str:
    reason = f"after a restore: {event.reason or 'rotated, and its grace is over'}"[:500]
    if event.action == "service_disabled":
        service = Service.objects.filter(service_id=event.object_id).first()
        if service is None or service.is_disabled:
            return "already" if service else "unknown"
        actions.disable_service(service=service, reason=reason, actor=actor)
        return "disabled"
    key = ApiKey.objects.filter(public_id=event.object_id).first()
    if key is None:
        return "unknown"
    if key.is_revoked or (event.action == "api_key_disabled" and key.is_disabled) or _still_has_grace(event):
        return "already"
    if event.action == "api_key_disabled":
        actions.disable_key(key=key, reason=reason, actor=actor)
        return "disabled"
    actions.revoke_key(key=key, reason=reason, actor=actor)
    return "revoked"


def _still_has_grace(event: Event) -> bool:
    if event.action != ROTATED:
        return False
    try:
        return datetime.datetime.fromisoformat(str(event.after.get("expires_at"))) > database_now()
    except (TypeError, ValueError):
        # Nobody can say until when: it ends.
        return False


def _document(line: str) -> dict[str, Any]:
    try:
        document = json.loads(line[line.index("{") :])
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
