"""Usage: last uses and calls are gathered in memory, flushed together, never turned back, never lost to a fault."""

import atexit
import datetime
import threading

import pytest
import time_machine
from django.db import DatabaseError
from django.utils import timezone

from apikeys import actions, keys, ledger, usage
from apikeys.calls import FinishedCall
from apikeys.models import ApiKey, Usage

CALL = FinishedCall("platform", "hk_live_x", "metadata", "GET", 200, "", 1, 2, 0.02, "curl/8")
MINUTE = datetime.timedelta(minutes=1)
NOON = datetime.datetime(2026, 11, 25, 12, 30, tzinfo=datetime.UTC)


def test_record_touches_no_database(reader, django_assert_num_queries):
    with django_assert_num_queries(0):
        usage.record(reader.row.pk, "192.0.2.1", "mlflow")


def test_flush_writes_when_where_and_what(reader):
    before = timezone.now()
    usage.record(reader.row.pk, "192.0.2.1", "mlflow/3")
    assert usage.flush() == 1
    reader.row.refresh_from_db()
    assert before <= reader.row.last_used_at <= timezone.now()
    assert (reader.row.last_used_ip, reader.row.last_used_agent) == ("192.0.2.1", "mlflow/3")


def test_flush_many_uses_of_a_key_is_one_write(reader, django_assert_num_queries):
    for number in range(10):
        usage.record(reader.row.pk, None, f"agent {number}")
    with django_assert_num_queries(1):
        usage.flush()
    assert ApiKey.objects.get().last_used_agent == "agent 9"


def test_flush_twice_writes_nothing_more(reader, django_assert_num_queries):
    usage.record(reader.row.pk, None, "")
    usage.flush()
    with django_assert_num_queries(0):
        assert usage.flush() == 0


def test_flush_later_use_of_another_worker_is_kept(reader, change):
    later = timezone.now() + MINUTE
    change(reader, last_used_at=later, last_used_agent="other worker")
    usage.record(reader.row.pk, None, "this worker")
    usage.flush()
    row = ApiKey.objects.get()
    assert (row.last_used_at, row.last_used_agent) == (later, "other worker")


def test_flush_refused_by_the_database_is_kept_for_the_next(reader, monkeypatch):
    def fail(*args, **kwargs):
        raise DatabaseError

    usage.record(reader.row.pk, None, "patient")
    with monkeypatch.context() as patch:
        patch.setattr(ApiKey.objects, "filter", fail)
        assert usage.flush() == 0
    assert usage.flush() == 1
    assert ApiKey.objects.get().last_used_agent == "patient"


def test_flush_refused_never_replaces_a_newer_use(reader, monkeypatch):
    def fail(*args, **kwargs):
        usage.record(reader.row.pk, None, "newer")
        raise DatabaseError

    usage.record(reader.row.pk, None, "older")
    with monkeypatch.context() as patch:
        patch.setattr(ApiKey.objects, "filter", fail)
        usage.flush()
    assert usage._pending[reader.row.pk].agent == "newer"


def test_flush_deleted_key_is_forgotten(db):
    usage.record(4711, None, "")
    assert usage.flush() == 1
    assert not usage._pending


def test_flush_changes_nothing_that_actions_own(reader, actor):
    usage.record(reader.row.pk, None, "late")
    actions.revoke_key(key=reader.row, reason="lost", actor=actor)
    usage.flush()
    assert ApiKey.objects.get().revoked_reason == "lost"


def test_record_long_agent_fits_its_column(reader):
    usage.record(reader.row.pk, None, "x" * 5000)
    usage.flush()
    assert ApiKey.objects.get().last_used_agent == "x" * 200


def test_record_key_in_the_agent_is_not_stored(reader):
    usage.record(reader.row.pk, None, f"curl {reader.secret.text}")
    usage.flush()
    assert reader.secret.text[20:] not in ApiKey.objects.get().last_used_agent


def test_record_key_cut_by_the_column_is_not_stored(reader):
    secret = keys.mint("live").text
    usage.record(reader.row.pk, None, "x" * 160 + secret)
    usage.flush()
    assert secret[20:40] not in ApiKey.objects.get().last_used_agent


def test_record_call_touches_no_database(db, django_assert_num_queries):
    with django_assert_num_queries(0):
        usage.record_call(CALL)


def test_flush_writes_calls_without_any_key(db):
    usage.record_call(CALL._replace(service="", key="", status=401, reason="KEY_MISSING"))
    assert usage.flush() == 0
    row = Usage.objects.get()
    assert (row.key_id, row.reason, row.status_class, row.calls) == ("", "KEY_MISSING", 4, 1)


def test_flush_calls_twice_writes_them_once(db, django_assert_num_queries):
    usage.record_call(CALL)
    usage.flush()
    with django_assert_num_queries(0):
        usage.flush()
    assert Usage.objects.get().calls == 1


@time_machine.travel(NOON, tick=False)
def test_flush_calls_refused_by_the_database_are_kept_for_the_next(reader, monkeypatch):
    def fail(*args):
        usage.record_call(CALL)
        raise DatabaseError

    usage.record(reader.row.pk, None, "patient")
    usage.record_call(CALL)
    with monkeypatch.context() as patch:
        patch.setattr(ledger, "add", fail)
        assert usage.flush() == 0
    assert usage.flush() == 1
    assert Usage.objects.get().calls == 2


def test_flush_last_uses_refused_by_the_database_keep_the_calls_too(reader, monkeypatch):
    def fail(*args, **kwargs):
        raise DatabaseError

    usage.record(reader.row.pk, None, "")
    usage.record_call(CALL)
    with monkeypatch.context() as patch:
        patch.setattr(ApiKey.objects, "filter", fail)
        usage.flush()
    assert not Usage.objects.exists()
    usage.flush()
    assert Usage.objects.get().calls == 1


@pytest.fixture
def started(monkeypatch):
    """What record would start in a new process."""
    threads, exits = [], []
    monkeypatch.setattr(usage, "_flusher_of_process", None)

    def start(thread):
        threads.append(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    monkeypatch.setattr(atexit, "register", exits.append)
    return threads, exits


def test_record_first_use_starts_one_flusher_a_process(started):
    usage.record(1, None, "")
    usage.record(2, None, "")
    (thread,), exits = started
    assert thread.daemon
    assert exits == [usage.flush]


def test_record_call_starts_the_flusher_too(started):
    usage.record_call(CALL)
    usage.record_call(CALL)
    assert len(started[0]) == 1


def test_record_after_fork_starts_a_flusher_of_its_own(started, monkeypatch):
    usage.record(1, None, "")
    monkeypatch.setattr(usage.os, "getpid", lambda: -1)
    usage.record(1, None, "")
    assert len(started[0]) == 2


def test_flusher_writes_then_lets_go_of_its_connection(reader, settings, monkeypatch):
    def stop():
        raise KeyboardInterrupt

    settings.HOKUSAI_USAGE_FLUSH_SECONDS = 0.001
    monkeypatch.setattr(usage.connections, "close_all", stop)
    usage.record(reader.row.pk, None, "flushed")
    with pytest.raises(KeyboardInterrupt):
        usage._flush_forever()
    assert ApiKey.objects.get().last_used_agent == "flushed"
