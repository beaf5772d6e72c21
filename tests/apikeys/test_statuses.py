"""The status of a key: one word, the same for lists and filters, by the database's clock."""

import datetime

import pytest

from apikeys import actions, statuses
from apikeys.models import ApiKey, database_now

DAY = datetime.timedelta(days=1)


def status(row):
    return ApiKey.objects.with_status().get(pk=row.pk).status


@pytest.fixture
def every(issue, batch, actor, change, ends_in):
    """One key for each status, by its word."""
    now = database_now()
    found = {word: issue() for word in statuses.DESCRIPTIONS}
    actions.revoke_key(key=found["revoked"].row, reason="lost", actor=actor)
    ends_in(found["expired"], -1)
    actions.disable_key(key=found["disabled"].row, reason="holiday", actor=actor)
    actions.rotate_key(key=found["in grace"].row, actor=actor)
    ends_in(found["expiring"], 29 * 86400)
    change(found["idle"], last_used_at=now - 91 * DAY, created_at=now - 92 * DAY)
    return found


def test_status_of_each_condition_is_its_word(every):
    assert {word: status(issued.row) for word, issued in every.items()} == {word: word for word in every}


def test_status_of_a_key_of_a_disabled_service_is_disabled(stranger, batch, actor):
    actions.disable_service(service=batch, reason="audit", actor=actor)
    assert status(stranger.row) == "disabled"


def test_status_revoked_wins_over_expired(reader, ends_in, actor):
    actions.revoke_key(key=reader.row, reason="lost", actor=actor)
    assert status(ends_in(reader, -1).row) == "revoked"


@pytest.mark.parametrize(("days", "word"), [(89, "active"), (91, "idle")])
def test_status_of_a_key_never_used_is_idle_after_ninety_days(reader, change, days, word):
    change(reader, created_at=database_now() - days * DAY)
    assert status(reader.row) == word


def test_status_of_the_successor_is_active(reader, actor):
    assert status(actions.rotate_key(key=reader.row, actor=actor).row) == "active"


def test_status_can_be_filtered_by(every):
    (row,) = ApiKey.objects.with_status().filter(status="in grace")
    assert row == every["in grace"].row


def test_status_words_are_those_of_the_list_command(every):
    assert set(ApiKey.objects.with_status().values_list("status", flat=True)) == set(statuses.DESCRIPTIONS)
