"""Counting calls: within a window, across workers through Redis, and alone while Redis is away."""

import socket
import threading

import pytest
import time_machine
from hypothesis import given, settings
from hypothesis import strategies as st

from apikeys import pacing
from apikeys.pacing import Pace
from tests.apikeys.redis_server import PATIENCE_SECONDS, RedisServer


@pytest.fixture(scope="module")
def _redis_for_the_module():
    server = RedisServer()
    server.start()
    yield server
    server.kill()


@pytest.fixture
def redis_server(_redis_for_the_module, monkeypatch):
    """A Redis that answers, whatever an earlier test did to it, and that is not given up where it does so late."""
    monkeypatch.setattr(pacing, "REDIS_SECONDS", PATIENCE_SECONDS)
    _redis_for_the_module.kill()
    _redis_for_the_module.start()
    return _redis_for_the_module


@pytest.fixture
def no_rest(monkeypatch):
    """Ask Redis again at once instead of letting it rest."""
    monkeypatch.setattr(pacing, "REDIS_REST_SECONDS", 0.0)


@pytest.fixture
def long_rest(monkeypatch):
    """Let Redis rest for longer than its start takes."""
    monkeypatch.setattr(pacing, "REDIS_REST_SECONDS", 3600.0)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 12), st.integers(0, 20))
def test_take_is_within_until_the_limit_is_used_up(limit, calls):
    pace = Pace("")
    verdicts = [pace.take(f"{limit}/hour", "k") for _ in range(calls)]
    assert [verdict.is_within for verdict in verdicts] == [number < limit for number in range(calls)]
    assert [verdict.remaining for verdict in verdicts] == [max(0, limit - number - 1) for number in range(calls)]


def test_verdict_tells_the_limit_and_its_window():
    verdict = Pace("").take("7/hour", "k")
    assert (verdict.limit, verdict.window_seconds) == (7, 3600)
    assert 1 <= verdict.reset_seconds <= 3600


def test_take_names_are_counted_apart():
    pace = Pace("")
    pace.take("1/hour", "key", "a")
    assert pace.take("1/hour", "key", "b").is_within


def test_window_that_ended_begins_anew():
    pace = Pace("")
    with time_machine.travel("2030-01-01T12:00:00Z", tick=False) as clock:
        assert [pace.take("1/hour", "k").is_within for _ in range(2)] == [True, False]
        clock.shift(3601)
        assert pace.take("1/hour", "k").is_within


def test_is_exhausted_counts_nothing():
    pace = Pace("")
    assert [pace.is_exhausted("1/hour", "k") for _ in range(3)] == [False] * 3
    pace.take("1/hour", "k")
    assert pace.is_exhausted("1/hour", "k")


def test_take_from_many_threads_loses_no_call():
    pace = Pace("")
    pace.take("1000/hour", "k")
    threads = [threading.Thread(target=lambda: [pace.take("1000/hour", "k") for _ in range(50)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert pace.take("1000/hour", "k").remaining == 1000 - 8 * 50 - 2


def test_shared_is_one_counter_a_url():
    assert pacing.shared("") is pacing.shared("")


def test_redis_limit_is_shared_with_another_worker(redis_server):
    mine, theirs = Pace(redis_server.url), Pace(redis_server.url)
    verdicts = [pace.take("3/hour", "k").is_within for pace in (mine, theirs, mine, theirs)]
    assert verdicts == [True, True, True, False]


def test_without_redis_workers_count_apart():
    assert all(Pace("").take("1/hour", "k").is_within for _ in range(2))


def test_redis_counts_nothing_here(redis_server):
    pace = Pace(redis_server.url)
    pace.take("1/hour", "k")
    assert redis_server.counters() == 1
    assert not pace.is_exhausted("1/hour", "k")


def test_redis_down_call_is_counted_here(redis_server):
    pace = Pace(redis_server.url)
    redis_server.kill()
    assert [pace.take("2/hour", "k").is_within for _ in range(3)] == [True, True, False]


def test_redis_down_from_the_start_raises_nothing(redis_server):
    redis_server.kill()
    assert Pace(redis_server.url).take("1/hour", "k").is_within


def test_redis_killed_between_two_calls_raises_nothing(redis_server):
    pace = Pace(redis_server.url)
    pace.take("5/hour", "k")
    redis_server.kill()
    assert pace.take("5/hour", "k").is_within


def test_redis_that_comes_back_is_asked_again(redis_server, no_rest):
    pace = Pace(redis_server.url)
    redis_server.kill()
    pace.take("5/hour", "k")
    redis_server.start()
    pace.take("5/hour", "k")
    assert redis_server.counters() == 1


def test_redis_that_failed_rests_before_it_is_asked_again(redis_server, long_rest):
    pace = Pace(redis_server.url)
    redis_server.kill()
    pace.take("5/hour", "k")
    redis_server.start()
    pace.take("5/hour", "k")
    assert redis_server.counters() == 0


def test_redis_that_lost_its_counters_is_counted_from_nothing(redis_server, no_rest):
    pace = Pace(redis_server.url)
    pace.take("1/hour", "k")
    redis_server.kill()
    redis_server.start()
    assert pace.take("1/hour", "k").is_within


@pytest.fixture
def hanging():
    """A Redis that accepts and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}/0"


def test_redis_that_hangs_is_given_up(hanging):
    assert Pace(hanging).take("1/hour", "k").is_within


def test_redis_that_hangs_is_asked_once_before_its_rest(hanging, long_rest):
    pace = Pace(hanging)
    pace.take("9/hour", "k")
    rests_until = pace._rests_until
    pace.take("9/hour", "k")
    assert pace._rests_until == rests_until > 0
