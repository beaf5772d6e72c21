"""Tells in time of keys that end, and at once of keys that leaked: a mail to the service's contact if it has one.

A key that ends is noticed once for each threshold it passes, with an audit event. What the mail server would not take
of these is tried again later.
"""

import datetime
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import structlog

from apikeys import actions, contacts
from apikeys.models import ApiKey, AuditEvent, database_now

log = structlog.get_logger(__name__)

THRESHOLDS_IN_DAYS = (30, 7, 1)


@dataclass(frozen=True, slots=True)
class Notice:
    """A key, and the threshold in days that it has passed."""

    key: ApiKey
    days: int


def tell_of_leak(key: ApiKey) -> bool:
    """Mail the service's contact that a key of it was reported, and is revoked; return whether that was possible."""
    try:
        subject = f"API key {key} of {key.service} is revoked: leaked"
        return contacts.mail(key.service, subject, leak_lines_of(key))
    except OSError as error:
        log.warning("leak_notice_unsent", api_key=key.public_id, error=type(error).__name__)
        return False


def send_due(actor: actions.Actor) -> dict[str, int]:
    """Send and record every notice that is due; return how many were noticed, mailed and left for later."""
    counts = {"noticed": 0, "mailed": 0, "unsent": 0}
    for notice in due(database_now()):
        try:
            is_mailed = contacts.mail(notice.key.service, subject_of(notice), lines_of(notice))
        except OSError as error:
            # The next round tries again.
            log.warning("expiry_notice_unsent", api_key=notice.key.public_id, error=type(error).__name__)
            counts["unsent"] += 1
            continue
        actions.record_expiry_notice(key=notice.key, days=notice.days, is_mailed=is_mailed, actor=actor)
        counts["noticed"] += 1
        counts["mailed"] += is_mailed
    return counts


def due(now: datetime.datetime) -> Iterator[Notice]:
    """Yield the notices that no audit event shows yet, for keys that work and that no successor replaces."""
    horizon = now + datetime.timedelta(days=max(THRESHOLDS_IN_DAYS))
    ending = ApiKey.objects.usable().filter(expires_at__lte=horizon, successor__isnull=True)
    keys = list(ending.select_related("service").order_by("expires_at"))
    given = _given([key.public_id for key in keys])
    for key in keys:
        days = threshold(key, now)
        if days is not None and not any(done <= days for done in given[key.public_id, key.expires_at.isoformat()]):
            yield Notice(key, days)


def threshold(key: ApiKey, now: datetime.datetime) -> int | None:
    """Return the smallest threshold that the key has passed; one that it was born behind does not count."""
    left, lifetime = key.expires_at - now, key.expires_at - key.created_at
    passed = [days for days in THRESHOLDS_IN_DAYS if left <= datetime.timedelta(days=days) < lifetime]
    return min(passed, default=None)


def _given(public_ids: list[str]) -> defaultdict[tuple[str, str], list[int]]:
    given: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    noticed = AuditEvent.objects.filter(action=actions.EXPIRY_NOTICED, object_id__in=public_ids)
    for public_id, facts in noticed.values_list("object_id", "after"):
        given[public_id, facts["expires_at"]].append(facts["days"])
    return given


def leak_lines_of(key: ApiKey) -> tuple[str, ...]:
    return (
        f"Somebody who holds the API key {key} ({key.name}) of service {key.service} has reported it as leaked.",
        "It is revoked: calls with it are answered 401.",
        "",
        "See in the audit trail and the usage of the key what was done with it, and issue another one where it is",
        "still needed.",
    )


def subject_of(notice: Notice) -> str:
    when = "tomorrow" if notice.days == 1 else f"within {notice.days} days"
    return f"API key {notice.key} of {notice.key.service} expires {when}"


def lines_of(notice: Notice) -> tuple[str, ...]:
    key = notice.key
    used = f"{key.last_used_at:%Y-%m-%d %H:%M} UTC" if key.last_used_at else "never"
    return (
        f"The API key {key} ({key.name}) of service {key.service} ends at {key.expires_at:%Y-%m-%d %H:%M} UTC.",
        f"It was last used: {used}.",
        "",
        "Calls with it are answered 401 from then on. If it is still needed, rotate it: the successor has the",
        "same scopes, and the old key works until the grace ends.",
        "",
        f"  manage.py rotate_key {key}",
    )
