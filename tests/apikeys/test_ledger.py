"""The ledger: rows only grow, whoever writes them; old hours become days, and old days go."""

import datetime
import threading

import pytest
from django.db import DatabaseError, connection, connections
from django.test.utils import CaptureQueriesContext

from apikeys import ledger
from apikeys.calls import FinishedCall
from apikeys.models import ClientVersion, Usage
from apikeys.tallies import Client, Counts, Kind

NOW = datetime.datetime(2026, 11, 25, 12, 30, tzinfo=datetime.UTC)
HOUR = datetime.timedelta(hours=1)
DAY = datetime.timedelta(days=1)
CALL = FinishedCall("platform", "hk_live_x", "metadata", "GET", 200, "", 1, 2, 0.02, "curl/8")
NUMBERS = [1, 10, 20, 0.5, *([0] * 9), 1]


def hour_of(moment):
    return int(moment.timestamp() // 3600)


def counts(*moments, key="hk_live_x", reason="", numbers=NUMBERS):
    calls = {Kind(hour_of(moment), "platform", key, "metadata", 2, reason): list(numbers) for moment in moments}
    return Counts(calls, {Client(hour_of(NOW) // 24, "platform", key, "curl", "8"): 1})


def test_add_makes_a_row_of_the_hour(db):
    ledger.add(counts(NOW))
    row = Usage.objects.get()
    assert (row.span, row.begins_at) == (Usage.Span.HOUR, NOW.replace(minute=0))
    assert (row.service_id, row.key_id, row.traffic, row.status_class) == ("platform", "hk_live_x", "metadata", 2)
    assert (row.calls, row.bytes_in, row.bytes_out, row.seconds, row.over_5_min) == (1, 10, 20, 0.5, 1)


def test_add_again_adds_up_and_overwrites_nothing(db):
    ledger.add(counts(NOW))
    ledger.add(counts(NOW))
    row = Usage.objects.get()
    assert (row.calls, row.bytes_in, row.bytes_out, row.seconds, row.over_5_min) == (2, 20, 40, 1.0, 2)
    assert ClientVersion.objects.get().calls == 2


def test_add_without_a_key_has_one_row_too(db):
    for _ in range(2):
        ledger.add(counts(NOW, key="", reason="KEY_MISSING"))
    assert Usage.objects.get().calls == 2


def test_add_is_one_insert_for_each_table(db):
    with CaptureQueriesContext(connection) as captured:
        ledger.add(counts(NOW, NOW - HOUR, NOW - 2 * HOUR))
    assert Usage.objects.count() == 3
    inserts = [query["sql"] for query in captured.captured_queries if "INSERT" in query["sql"]]
    assert len(inserts) == 2


def test_add_that_fails_adds_nothing(db):
    bad = counts(NOW)._replace(clients={Client(0, "platform", None, "curl", "8"): 1})
    with pytest.raises(DatabaseError):
        ledger.add(bad)
    assert not Usage.objects.exists()


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_add_by_many_workers_at_once_adds_up():
    moments = [NOW - number * HOUR for number in range(10)]
    failures = []

    def work(number):
        try:
            for _ in range(5):
                ledger.add(counts(*(moments if number % 2 else reversed(moments))))
        except DatabaseError as error:
            failures.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert set(Usage.objects.values_list("calls", "bytes_in")) == {(20, 200)}


LIMIT = NOW.replace(hour=0, minute=0) - ledger.HOURS_KEPT


def test_roll_up_turns_old_hours_into_their_day(db):
    ledger.add(counts(*(LIMIT - number * HOUR for number in range(1, 25))))
    rolled = ledger.roll_up(NOW)
    row = Usage.objects.get()
    assert (row.span, row.begins_at) == (Usage.Span.DAY, LIMIT - DAY)
    assert (row.calls, row.bytes_in, row.seconds, row.over_5_min) == (24, 240, 12.0, 24)
    assert rolled == (1, 24, 0)


def test_roll_up_leaves_younger_hours(db):
    ledger.add(counts(LIMIT, NOW))
    assert ledger.roll_up(NOW) == (0, 0, 0)
    assert set(Usage.objects.values_list("span", flat=True)) == {Usage.Span.HOUR}


def test_roll_up_keeps_kinds_apart(db):
    for key in ("hk_live_x", "hk_live_y"):
        ledger.add(counts(LIMIT - HOUR, LIMIT - 2 * HOUR, key=key))
    ledger.roll_up(NOW)
    assert set(Usage.objects.values_list("key_id", "calls")) == {("hk_live_x", 2), ("hk_live_y", 2)}


def test_roll_up_again_changes_nothing(db):
    ledger.add(counts(LIMIT - HOUR))
    ledger.roll_up(NOW)
    assert ledger.roll_up(NOW) == (0, 0, 0)
    assert Usage.objects.get().calls == 1


def test_roll_up_late_hour_is_added_to_its_day(db):
    for _ in range(2):
        ledger.add(counts(LIMIT - HOUR))
        ledger.roll_up(NOW)
    assert Usage.objects.get().calls == 2


def test_roll_up_forgets_days_that_are_too_old(db):
    oldest = NOW.replace(hour=0, minute=0) - ledger.DAYS_KEPT
    ledger.add(counts(oldest - HOUR, oldest))
    ClientVersion.objects.update(day=oldest.date() - DAY)
    rolled = ledger.roll_up(NOW)
    assert rolled.forgotten == 2
    assert list(Usage.objects.values_list("begins_at", flat=True)) == [oldest]
    assert not ClientVersion.objects.exists()


def test_roll_up_that_fails_loses_no_hour(db, monkeypatch):
    def fail(*args):
        raise DatabaseError

    ledger.add(counts(LIMIT - HOUR))
    monkeypatch.setattr(ledger, "_add_rows", fail)
    with pytest.raises(DatabaseError):
        ledger.roll_up(NOW)
    assert Usage.objects.get().span == Usage.Span.HOUR


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_roll_up_by_two_at_once_counts_each_hour_once():
    ledger.add(counts(*(LIMIT - number * HOUR for number in range(1, 73))))
    rolled, barrier = [], threading.Barrier(2)

    def work():
        barrier.wait()
        rolled.append(ledger.roll_up(NOW))
        connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(one.hours for one in rolled) == 72
    assert sorted(Usage.objects.values_list("span", "calls")) == [(Usage.Span.DAY, 24)] * 3


def test_statements_name_every_column():
    for model, (known_by, added) in ledger._COLUMNS.items():
        assert {*known_by, *added, "id"} == {field.attname for field in model._meta.concrete_fields}
