"""Questions about usage that screens ask: over hours and days, by service, key, reason and client."""

import datetime

import pytest
from django.utils import timezone

from apikeys import ledger
from apikeys.models import ClientVersion, Usage
from apikeys.rollups import COUNTERS, LATENCIES
from apikeys.tallies import Client, Counts, Kind

HOUR = datetime.timedelta(hours=1)


@pytest.fixture
def now(time_machine):
    """A moment that lasts: the questions begin so many hours before it."""
    time_machine.move_to(timezone.now(), tick=False)
    return timezone.now()


@pytest.fixture
def called(db, now):
    """Write so many calls of a kind, so many hours ago."""

    def write(calls=1, *, ago=0, service="platform", key="hk_live_x", status=2, reason="", client=("curl", "8")):
        hour = int((now - ago * HOUR).timestamp() // 3600)
        numbers = [calls, calls * 10, calls * 100, calls * 0.5, calls, *([0] * (len(LATENCIES) - 1))]
        clients = {Client(hour // 24, service, key, *client): calls} if key else {}
        ledger.add(Counts({Kind(hour, service, key, "metadata", status, reason): numbers}, clients))

    return write


def test_by_hour_sums_all_kinds_of_an_hour(called):
    called(3)
    called(2, status=4, reason="SCOPE_MISSING")
    called(1, status=5, reason="INTERNAL", key="hk_live_y")
    (row,) = Usage.objects.last_day().by_hour()
    assert (row["total_calls"], row["total_bytes_in"], row["total_bytes_out"]) == (6, 60, 600)
    assert (row["refused_calls"], row["failed_calls"]) == (2, 1)
    assert (row["total_seconds"], row["total_up_to_25_ms"]) == (3.0, 6)


def test_by_hour_is_in_order_of_time(called, now):
    for ago in (0, 5, 2):
        called(ago=ago)
    hours = [row["begins_at"] for row in Usage.objects.last_day().by_hour()]
    assert hours == sorted(hours)
    assert len(hours) == 3


@pytest.mark.parametrize(("question", "hours"), [("last_day", 24), ("last_week", 168)])
def test_last_hours_end_where_they_say(called, question, hours):
    called(1, ago=hours - 1)
    called(10, ago=hours)
    (row,) = getattr(Usage.objects.all(), question)().by_hour()
    assert row["total_calls"] == 1


def test_since_adds_hours_and_days(called, now):
    called(1)
    called(2, ago=24 * 40)
    ledger.roll_up(now)
    assert set(Usage.objects.values_list("span", flat=True)) == {"hour", "day"}
    (row,) = Usage.objects.since(now - 60 * 24 * HOUR).by_service()
    assert row["total_calls"] == 3


def test_by_hour_knows_no_day(called, now):
    called(2, ago=24 * 40)
    ledger.roll_up(now)
    assert not Usage.objects.since(now - 60 * 24 * HOUR).by_hour()


def test_by_service_begins_with_the_busiest_and_knows_no_strangers(called):
    called(1)
    called(5, service="batch", key="hk_live_z")
    called(50, service="", key="", status=4, reason="KEY_MISSING")
    rows = Usage.objects.last_day().by_service()
    assert [(row["service_id"], row["total_calls"]) for row in rows] == [("batch", 5), ("platform", 1)]


def test_by_key_begins_with_the_busiest(called):
    called(1)
    called(5, key="hk_live_y")
    rows = Usage.objects.last_day().of_service("platform").by_key()
    assert [(row["key_id"], row["total_calls"]) for row in rows] == [("hk_live_y", 5), ("hk_live_x", 1)]


def test_of_key_leaves_the_others_out(called):
    called(1)
    called(5, key="hk_live_y")
    (row,) = Usage.objects.of_key("hk_live_y").by_hour()
    assert row["total_calls"] == 5


def test_top_refusals_are_the_most_frequent_with_and_without_a_key(called):
    called(100)
    called(5, status=4, reason="KEY_MISSING", key="", service="")
    called(7, status=4, reason="SCOPE_MISSING")
    called(2, status=4, reason="SCOPE_MISSING", key="hk_live_y")
    called(1, status=5, reason="INTERNAL")
    top = Usage.objects.last_day().top_refusals(2)
    assert [(row["reason"], row["total_calls"]) for row in top] == [("SCOPE_MISSING", 9), ("KEY_MISSING", 5)]


@pytest.mark.parametrize("question", ["by_hour", "by_service", "by_key", "top_refusals"])
def test_question_is_one_query(called, question, django_assert_num_queries):
    called(status=4, reason="INTERNAL")
    with django_assert_num_queries(1):
        (row,) = getattr(Usage.objects.last_week(), question)()
    assert {f"total_{name}" for name in COUNTERS} <= row.keys()


def test_by_version_tells_how_many_keys_used_it_and_when_last(called, now):
    called(3, client=("curl", "8"))
    called(2, client=("curl", "8"), key="hk_live_y")
    called(9, client=("curl", "7"), ago=48)
    newer, older = ClientVersion.objects.since(now.date() - datetime.timedelta(days=3)).by_version()
    assert (newer["version"], newer["total_calls"], newer["keys"]) == ("8", 5, 2)
    assert (older["version"], older["last_day"]) == ("7", (now - 48 * HOUR).date())


def test_clients_since_leaves_older_days_out(called, now):
    called(ago=48)
    assert not ClientVersion.objects.since(now.date()).exists()


def test_latencies_are_in_order_and_end_open():
    bounds = list(LATENCIES.values())
    assert bounds == sorted(bounds)
    assert bounds[-1] == float("inf")
