"""What the tests of keys share: keys in every condition that must be refused, and direct changes of a row."""

import datetime

import pytest

from apikeys import actions, keys
from apikeys.actions import IssuedKey
from apikeys.models import ApiKey, database_now


@pytest.fixture
def change(db):
    """Set columns behind the back of the actions, as time or a restored backup would."""

    def change_row(issued, **columns):
        ApiKey.objects.filter(pk=issued.row.pk).update(**columns)
        issued.row.refresh_from_db()
        return issued

    return change_row


@pytest.fixture
def ends_in(change):
    """Move the expiry to so many seconds from now, by the database's clock."""

    def move(issued, seconds):
        now = database_now()
        created = now - datetime.timedelta(days=1)
        return change(issued, created_at=created, expires_at=now + datetime.timedelta(seconds=seconds))

    return move


def forge(public_id, environment="live"):
    """Return a key of a known id with a secret of somebody's own: right shape, right checksum."""
    body = public_id + keys.mint(environment).text[20:-6]
    return keys.Key(public_id, environment, body + keys.checksum(body))


@pytest.fixture
def refused(issue, batch, actor, ends_in):
    """One key for each reason to refuse, by the word that the log gives."""
    wrong, revoked, expired, paused = issue(), issue(), ends_in(issue(), -1), issue()
    disabled = issue(service=batch)
    actions.disable_key(key=paused.row, reason="holiday", actor=actor)
    actions.revoke_key(key=revoked.row, reason="lost", actor=actor)
    actions.disable_service(service=batch, reason="audit", actor=actor)
    return {
        "KEY_UNKNOWN": IssuedKey(None, keys.mint("live")),
        "KEY_SECRET_WRONG": IssuedKey(wrong.row, forge(wrong.row.public_id)),
        "KEY_REVOKED": revoked,
        "KEY_EXPIRED": expired,
        "KEY_DISABLED": paused,
        "SERVICE_DISABLED": disabled,
    }
