"""Which events of the audit trail become messages to webhooks, and what those say; sends and writes nothing."""

from collections.abc import Iterable
from types import MappingProxyType
from typing import Any, NamedTuple

from django.db.models import Q

from apikeys.models import AuditEvent
from apikeys.trail import LEAK_REPORTER


class Source(NamedTuple):
    """The events of a type: an action and, where one is named, an actor."""

    action: str
    actor: str = ""

    @property
    def condition(self) -> Q:
        return Q(action=self.action, actor=self.actor) if self.actor else Q(action=self.action)

    def fits(self, event: AuditEvent) -> bool:
        return event.action == self.action and self.actor in {"", event.actor}


# The first that fits an event, among those that a webhook asks for, is its type.
SOURCES = MappingProxyType(
    {
        "key.issued": Source("api_key_issued"),
        "key.rotated": Source("api_key_rotated"),
        "key.expiring": Source("api_key_expiry_noticed"),
        "key.leaked": Source("api_key_revoked", LEAK_REPORTER),
        "key.revoked": Source("api_key_revoked"),
    }
)


def wanted(types: Iterable[str]) -> Q:
    """Return the condition of the events that a webhook asks for."""
    found = Q(pk__in=[])
    for kind in SOURCES.keys() & set(types):
        found |= SOURCES[kind].condition
    return found


def of_event(event: AuditEvent, types: Iterable[str]) -> dict[str, Any]:
    """Return the message of an event that is ``wanted``: what the trail says of it, without the actor's address."""
    asked = frozenset(types)
    return {
        "type": next(kind for kind, source in SOURCES.items() if kind in asked and source.fits(event)),
        "timestamp": event.at.isoformat(),
        "data": {
            "key_id": event.object_id,
            "service_id": event.service_id,
            "actor": event.actor,
            "reason": event.reason,
            "before": event.before,
            "after": event.after,
            "request_id": event.request_id,
        },
    }
