"""Appends events to the audit trail; decides nothing, and never changes what stands there.

``record`` belongs to the transaction of the change that it tells of: if it cannot be written, the change does not
happen. The other functions note what is no change of a service or key.
"""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass

import structlog
from django.db import transaction

from apikeys.models import AuditEvent
from apikeys.redaction import redact_keys

log = structlog.get_logger(__name__)

MAXIMUM_LENGTH = 500
# Who ended a key that was reported as leaked; no account is called so, because names of accounts have no space.
LEAK_REPORTER = "leak report"


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who asks for a change, as the audit trail will show it."""

    name: str
    address: str | None = None
    request_id: str = ""


def record(
    action: str,
    actor: Actor,
    *,
    object_id: str,
    service_id: str = "",
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
    reason: str = "",
) -> None:
    """Append one event; times among the facts become ISO 8601."""
    event = AuditEvent.objects.create(
        action=action,
        actor=actor.name,
        service_id=service_id,
        object_id=object_id,
        before=_plain(before or {}),
        after=_plain(after or {}),
        reason=reason.strip(),
        address=actor.address,
        request_id=actor.request_id,
    )
    # The log outlives the database, and brings back after a restore what has ended since the backup.
    transaction.on_commit(lambda: _tell(event))


def _tell(event: AuditEvent) -> None:
    facts = {"service_id": event.service_id, "reason": event.reason, "after": event.after}
    log.info("audited", action=event.action, actor=event.actor, object_id=event.object_id, **facts)


def record_denial(*, method: str, path: str, actor: Actor) -> None:
    """Note that staff asked for what they may not do; the path may hold what somebody pasted."""
    after = {"method": method, "path": redact_keys(path)[:MAXIMUM_LENGTH]}
    record("admin_denied", actor, object_id=actor.name[:100], after=after)


def record_sign_in(*, actor: Actor) -> None:
    """Note that a member of staff signed in to the admin."""
    record("staff_signed_in", actor, object_id=actor.name[:100])


def record_export(*, form: str, filters: str, actor: Actor) -> None:
    """Note that somebody took the trail out of the portal: as what, and narrowed down to what."""
    record("audit_exported", actor, object_id=form, after={"filters": redact_keys(filters)[:MAXIMUM_LENGTH]})


def record_account_change(
    *, action: str, name: str, before: Mapping[str, object], after: Mapping[str, object], actor: Actor
) -> None:
    """Note a change of who may do what here: an account, or a group of them."""
    record(action, actor, object_id=name[:100], before=before, after=after)


def _plain(facts: Mapping[str, object]) -> dict[str, object]:
    return {word: fact.isoformat() if isinstance(fact, datetime.datetime) else fact for word, fact in facts.items()}
