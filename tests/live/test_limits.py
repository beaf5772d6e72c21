"""Rates over all workers: exactly as many calls as a key may make, counted in a Valkey that comes and goes."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.apikeys.redis_server import RedisServer
from tests.live.conftest import Stack
from tests.live.processes import eventually
from tests.live.stack import Portal
from tests.live.wire import session_of_each_worker

pytestmark = pytest.mark.live

SEARCH = "/api/2.0/mlflow/experiments/search?max_results=1"
LIMIT, PLENTY = 20, 1000
ATTEMPTS = 5


@pytest.fixture(scope="module")
def valkey() -> Iterator[RedisServer]:
    server = RedisServer()
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="module")
def _limited_for_the_module(stack: Stack, valkey: RedisServer) -> Iterator[Portal]:
    database = stack.database.create("limits")
    portal = Portal("portal-limits", stack.folder, mlflow=stack.local.mlflow, database=database, REDIS_URL=valkey.url)
    portal.start()
    try:
        portal.wait_until_ready()
        yield portal
    finally:
        portal.end()


@pytest.fixture
def limited(_limited_for_the_module: Portal, valkey: RedisServer) -> Portal:
    """Return a portal with two workers that count in Valkey, which answers, whatever an earlier test did to it."""
    valkey.kill()
    valkey.start()
    return _limited_for_the_module


@pytest.fixture
def pinned(limited: Portal) -> Iterator[list[requests.Session]]:
    """Yield a session for each worker."""
    with session_of_each_worker(limited) as sessions:
        yield sessions


def call(session: requests.Session, portal: Portal, key: str) -> requests.Response:
    return session.get(f"{portal.tracking_uri}{SEARCH}", headers={"Authorization": f"Bearer {key}"}, timeout=60)


def issue(portal: Portal, limit: int) -> str:
    return portal.issue("reader", "--rate-limit-per-hour", str(limit))


def wait_for_one_count(portal: Portal, pinned: list[requests.Session]) -> None:
    """Return once all workers count in Valkey: one that found it away lets it rest for a while."""
    key, (here, there) = issue(portal, PLENTY), pinned

    def is_one_count() -> bool:
        first, second, third = (left(call(session, portal, key)) for session in (here, there, here))
        return (second, third) == (first - 1, first - 2)

    assert eventually(is_one_count, patience=60)


def left(reply: requests.Response) -> int:
    return int(reply.headers["X-RateLimit-Remaining"])


def spend_in_turn(portal: Portal, sessions: list[requests.Session], key: str) -> list[requests.Response]:
    """Make three times as many calls as the key may, by both workers in turn."""
    return [call(sessions[number % len(sessions)], portal, key) for number in range(3 * LIMIT)]


def spend_at_once(portal: Portal, sessions: list[requests.Session], key: str) -> list[requests.Response]:
    """Make as many, by eight callers at once on new connections."""
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(lambda _: call(requests.Session(), portal, key), range(3 * LIMIT)))


Spending = Callable[[Portal, list[requests.Session], str], list[requests.Response]]


def spent(portal: Portal, pinned: list[requests.Session], spend: Spending) -> list[requests.Response]:
    """Return the replies of an attempt in which Valkey was never late, which it may be on a busy machine."""
    for _ in range(ATTEMPTS):
        wait_for_one_count(portal, pinned)
        log = portal.watch()
        replies = spend(portal, pinned, issue(portal, LIMIT))
        if not log.events("redis_unavailable"):
            return replies
    raise AssertionError("Valkey was late in each attempt")


@pytest.mark.parametrize("spend", [spend_in_turn, spend_at_once])
def test_key_makes_exactly_its_calls_over_both_workers(
    limited: Portal, pinned: list[requests.Session], spend: Spending
) -> None:
    statuses = sorted(reply.status_code for reply in spent(limited, pinned, spend))
    assert statuses == [200] * LIMIT + [429] * 2 * LIMIT


def test_reply_tells_what_is_left_over_both_workers(limited: Portal, pinned: list[requests.Session]) -> None:
    served = spent(limited, pinned, spend_in_turn)[:LIMIT]
    assert [left(reply) for reply in served] == list(reversed(range(LIMIT)))
    for reply in served:
        assert reply.headers["X-RateLimit-Limit"] == str(LIMIT)
        assert reply.headers["RateLimit-Policy"] == f'"key";q={LIMIT};w=3600'
        assert reply.headers["RateLimit"].startswith(f'"key";r={left(reply)};t=')
        assert "Retry-After" not in reply.headers


def test_refusal_says_when_to_come_back(limited: Portal, pinned: list[requests.Session]) -> None:
    for refused in spent(limited, pinned, spend_in_turn)[LIMIT:]:
        document, told = refused.json(), refused.headers
        assert (document["error_code"], document["reason"]) == ("REQUEST_LIMIT_EXCEEDED", "RATE_EXCEEDED")
        assert 1 <= int(told["Retry-After"]) <= 30
        assert 1 <= int(told["X-RateLimit-Reset"]) <= 3600
        assert (told["X-RateLimit-Limit"], told["X-RateLimit-Remaining"]) == (str(LIMIT), "0")
        assert told["RateLimit-Policy"] == f'"key";q={LIMIT};w=3600'
        assert told["RateLimit"] == f'"key";r=0;t={told["X-RateLimit-Reset"]}'


def test_valkey_that_dies_fails_no_call_and_is_counted_in_again(
    limited: Portal, pinned: list[requests.Session], valkey: RedisServer
) -> None:
    wait_for_one_count(limited, pinned)
    key, log = issue(limited, PLENTY), limited.watch()
    with ThreadPoolExecutor(6) as pool:
        calling = [pool.submit(call, requests.Session(), limited, key) for _ in range(150)]
        valkey.kill()
        calling += [pool.submit(call, requests.Session(), limited, key) for _ in range(150)]
    assert {future.result().status_code for future in calling} == {200}
    assert log.events("redis_unavailable")
    valkey.start()
    wait_for_one_count(limited, pinned)
    assert valkey.counters() >= 1
    assert {status for _, status in log.requests()} == {200}


def test_valkey_that_is_away_leaves_each_worker_to_count_for_itself(
    limited: Portal, pinned: list[requests.Session], valkey: RedisServer
) -> None:
    valkey.kill()
    replies = spend_in_turn(limited, pinned, issue(limited, LIMIT))
    assert [reply.status_code for reply in replies] == [200] * 2 * LIMIT + [429] * LIMIT
    assert all("Retry-After" in reply.headers for reply in replies[2 * LIMIT :])
