"""Pace over real sockets: a key's share of the threads, and its window of calls; names carry the case."""

import contextlib
import socket
from collections.abc import Iterator

import pytest

from apikeys import keys
from tests.mlflow_proxy.portal import Home, Portal, eventually, running
from tests.mlflow_proxy.refusals import refused
from tests.mlflow_proxy.stub import Stub, chunked_ok, ok
from tests.mlflow_proxy.wire import FILES, SEARCH, M, call, head, opened

FILE = f"{FILES}/0/run/artifacts/a"
RATE_HEADERS = ("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset", "ratelimit", "ratelimit-policy")
UNENDING = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n"


@pytest.fixture(scope="module")
def _portal(home: Home, _stub_for_the_session: Stub) -> Iterator[Portal]:
    with running(home, _stub_for_the_session, "two-at-once", HOKUSAI_KEY_CONCURRENCY="2") as portal:
        yield portal


@pytest.fixture
def narrow(_portal: Portal, upstream: Stub) -> Portal:
    """A portal that serves two calls of a key at once, and has room for one."""
    eventually(lambda: is_served(_portal))
    upstream.reset()
    return _portal


@pytest.fixture
def fresh_key(home: Home, request: pytest.FixtureRequest) -> str:
    """The name of a key that makes ten calls an hour and has made none."""
    home.issue(request.node.name, "--preset", "reader", "--rate-limit-per-hour", "10")
    name: str = request.node.name
    return name


@contextlib.contextmanager
def two_open(portal: Portal, upstream: Stub) -> Iterator[None]:
    """Hold two downloads of the operator open in the middle of their bodies."""
    upstream.reply(UNENDING, then="hang")
    with contextlib.ExitStack() as stack:
        for _ in range(2):
            # What the test before has held is given back a moment after its upstream was reset.
            eventually(lambda: stack.enter_context(opened(portal, "GET", FILE)).status == 200)
        yield


def is_served(portal: Portal) -> bool:
    return call(portal, "GET", SEARCH).status == 200


def test_noisy_neighbour_third_call_of_a_key_is_429(narrow: Portal, upstream: Stub) -> None:
    with two_open(narrow, upstream):
        upstream.reply(ok())
        reply = call(narrow, "GET", SEARCH)
    assert (reply.status, reply.json["reason"]) == (429, "CONCURRENCY_EXCEEDED")
    assert reply.json["error_code"] == "REQUEST_LIMIT_EXCEEDED"
    assert 1 <= int(reply.headers["retry-after"]) <= 30
    assert len(upstream.seen) == 2


def test_noisy_neighbour_another_key_passes_meanwhile(narrow: Portal, upstream: Stub) -> None:
    with two_open(narrow, upstream):
        upstream.reply(ok())
        assert call(narrow, "GET", SEARCH, who="reader").status == 200


def test_noisy_neighbour_share_is_given_back_when_the_caller_leaves(narrow: Portal, upstream: Stub) -> None:
    with two_open(narrow, upstream):
        upstream.reply(ok())
        assert not is_served(narrow)
    upstream.reset()
    eventually(lambda: is_served(narrow))


def test_noisy_neighbour_share_is_given_back_when_transfers_end(narrow: Portal, upstream: Stub) -> None:
    upstream.reply(chunked_ok(b"a", b"b"))
    assert [call(narrow, "GET", FILE).status for _ in range(6)] == [200] * 6


def test_noisy_neighbour_share_is_given_back_after_refusals_and_faults(narrow: Portal, upstream: Stub) -> None:
    upstream.reply(b"junk\r\n\r\n", then="close")
    statuses = {call(narrow, "GET", SEARCH).status for _ in range(4)}
    statuses |= {call(narrow, "GET", SEARCH, body=b"{}").status for _ in range(4)}
    statuses |= {call(narrow, "GET", f"{M}/nowhere").status for _ in range(4)}
    upstream.reset()
    assert statuses == {502, 400, 404}
    assert is_served(narrow)


def test_noisy_neighbour_share_is_given_back_when_an_upload_breaks_off(narrow: Portal, upstream: Stub) -> None:
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", narrow.port), 30) as connection:
            connection.sendall(head(narrow, f"PUT {FILE} HTTP/1.1", "Content-Length: 1000") + b"part")
            upstream.wait(lambda: bool(upstream.seen))
        upstream.wait_for_end()
        upstream.reset()
    eventually(lambda: is_served(narrow))


def test_rate_headers_stand_on_a_reply_of_mlflow(served: Portal, upstream: Stub, fresh_key: str) -> None:
    reply = call(served, "GET", SEARCH, who=fresh_key)
    assert set(RATE_HEADERS) <= set(reply.headers)
    assert (reply.headers["x-ratelimit-limit"], reply.headers["x-ratelimit-remaining"]) == ("10", "9")
    assert reply.headers["ratelimit-policy"] == '"key";q=10;w=3600'


def test_rate_headers_count_down(served: Portal, upstream: Stub, fresh_key: str) -> None:
    left = [call(served, "GET", SEARCH, who=fresh_key).headers["x-ratelimit-remaining"] for _ in range(3)]
    assert left == ["9", "8", "7"]


def test_rate_headers_stand_on_an_error_of_mlflow(served: Portal, upstream: Stub, fresh_key: str) -> None:
    upstream.reply(ok(b'{"error_code":"RESOURCE_DOES_NOT_EXIST"}', status="404 Not Found"))
    assert set(RATE_HEADERS) <= set(call(served, "GET", SEARCH, who=fresh_key).headers)


def test_rate_limit_spent_is_429_that_asks_for_half_a_minute(served: Portal, upstream: Stub, fresh_key: str) -> None:
    for _ in range(10):
        assert call(served, "GET", SEARCH, who=fresh_key).status == 200
    reply = call(served, "GET", SEARCH, who=fresh_key)
    assert (reply.status, reply.json["reason"]) == (429, "RATE_EXCEEDED")
    assert reply.json["error_code"] == "REQUEST_LIMIT_EXCEEDED"
    assert reply.json["api_key"] in served.home.keys[fresh_key]
    assert 1 <= int(reply.headers["retry-after"]) <= 30
    assert reply.headers["x-ratelimit-remaining"] == "0"
    assert len(upstream.seen) == 10


def test_rate_limit_of_one_key_leaves_another_alone(served: Portal, upstream: Stub, fresh_key: str) -> None:
    for _ in range(11):
        call(served, "GET", SEARCH, who=fresh_key)
    assert call(served, "GET", SEARCH, who="reader").status == 200


def test_rate_limit_rotation_does_not_begin_a_new_window(served: Portal, upstream: Stub, fresh_key: str) -> None:
    for _ in range(10):
        call(served, "GET", SEARCH, who=fresh_key)
    public_id = served.home.keys[fresh_key][:20]
    served.home.keys["successor"] = served.home.manage("rotate_key", public_id, "--quiet").strip()
    refused_document = call(served, "GET", SEARCH, who="successor").json
    assert refused_document["reason"] == "RATE_EXCEEDED"


def test_rate_limit_call_without_the_right_is_not_counted(served: Portal, upstream: Stub, fresh_key: str) -> None:
    for _ in range(11):
        refused(served, upstream, "POST", f"{M}/api/2.0/mlflow/runs/create", 403, who=fresh_key, body=b"{}")
    assert call(served, "GET", SEARCH, who=fresh_key).headers["x-ratelimit-remaining"] == "9"


def test_bad_key_flood_is_429_and_a_known_key_still_passes(home: Home, upstream: Stub) -> None:
    """On a portal of its own: the address of the flood is that of every other test."""
    with running(home, upstream, "flooded") as portal:
        upstream.reset()
        assert call(portal, "GET", SEARCH, who="reader").status == 200
        home.issue("gone", "--preset", "reader")
        home.manage("revoke_key", home.keys["gone"][:20], "--reason", "test")
        statuses = [call(portal, "GET", SEARCH, who="gone").status for _ in range(21)]
        reply = call(portal, "GET", SEARCH, who="gone")
        assert (statuses[0], reply.status, reply.json["reason"]) == (401, 429, "TOO_MANY_FAILURES")
        assert 1 <= int(reply.headers["retry-after"]) <= 30
        assert call(portal, "GET", SEARCH, who="reader").status == 200
    assert len(upstream.seen) == 2


def test_forged_address_does_not_spread_a_flood(home: Home, upstream: Stub) -> None:
    with running(home, upstream, "spread") as portal:
        statuses = []
        for number in range(101):
            forged = {"Authorization": f"Bearer {keys.mint('live').text}", "X-Forwarded-For": f"198.51.100.{number}"}
            statuses.append(call(portal, "GET", SEARCH, who=None, headers=forged).status)
    assert (set(statuses[:-1]), statuses[-1]) == ({401}, 429)


def test_key_of_named_networks_is_403_from_elsewhere(behind_proxy: Portal, upstream: Stub) -> None:
    behind_proxy.home.issue("office", "--preset", "reader", "--allow-ip", "192.0.2.0/24", "--allow-ip", "2001:db8::/32")
    for hops in ("203.0.113.9", "192.0.2.1, 203.0.113.9", "2001:db8::1, 203.0.113.9"):
        document = refused(
            behind_proxy,
            upstream,
            "GET",
            SEARCH,
            403,
            "ADDRESS_REFUSED",
            who="office",
            headers={"X-Forwarded-For": hops},
        )
        assert document["address"] == "203.0.113.9"
    for hops in ("192.0.2.1", "203.0.113.9, 192.0.2.1", "2001:db8::1"):
        assert call(behind_proxy, "GET", SEARCH, who="office", headers={"X-Forwarded-For": hops}).status == 200


def test_key_of_named_networks_is_not_moved_by_a_stranger_s_header(served: Portal, upstream: Stub) -> None:
    served.home.issue("lab", "--preset", "reader", "--allow-ip", "192.0.2.0/24")
    forged = {"X-Forwarded-For": "192.0.2.1", "X-Real-IP": "192.0.2.1", "Forwarded": "for=192.0.2.1"}
    refused(served, upstream, "GET", SEARCH, 403, "ADDRESS_REFUSED", who="lab", headers=forged)
