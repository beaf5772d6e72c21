"""The upstream client inside this process: connections, deadlines, named errors."""

import gc
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from mlflow_proxy import connections, upstream
from mlflow_proxy.exceptions import UpstreamGarbledError, UpstreamRefusedError, UpstreamTimedOutError
from tests.mlflow_proxy.stub import Stub, ok

HEADERS = {"Host": "mlflow"}


def ask(target: str = "/a", **how: object) -> bytes:
    return upstream.read(upstream.send("GET", target, HEADERS, **how), 1000)  # type: ignore[arg-type]


def test_fresh_connection_is_used_again(stub: Stub) -> None:
    assert [ask(), ask(), ask()] == [b"{}"] * 3
    assert stub.connections == 1


def test_connection_idle_for_too_long_is_not_used_again(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MAXIMUM_IDLE_SECONDS", 0.0)
    assert [ask(), ask(), ask()] == [b"{}"] * 3
    assert stub.connections == 3


def test_maximum_idle_stays_below_the_five_seconds_of_uvicorn() -> None:
    assert 0 < connections.MAXIMUM_IDLE_SECONDS < 5


def test_connection_that_upstream_closed_is_not_used_again(stub: Stub) -> None:
    stub.reply(ok(), then="close")
    assert ask() == b"{}"
    stub.wait(lambda: stub.open_connections == 0)
    assert ask() == b"{}"
    assert stub.connections == 2


def test_kinds_of_traffic_share_no_connection(stub: Stub) -> None:
    for traffic in ("metadata", "transfer", "stream"):
        ask(traffic=traffic)
    assert stub.connections == 3


def test_connection_of_a_half_read_body_is_not_used_again(stub: Stub) -> None:
    stub.reply(ok(bytes(5000)))
    response = upstream.send("GET", "/a", HEADERS)
    assert len(upstream.read(response, 1000)) == 1000
    ask()
    assert stub.connections == 2


@pytest.mark.parametrize("chunks", [b"zz\r\n", b"5\r\nhel", b"-1\r\n"])
def test_connection_of_a_broken_chunk_is_not_used_again(stub: Stub, chunks: bytes) -> None:
    stub.reply(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks, then="close")
    with pytest.raises(UpstreamGarbledError):
        ask()
    stub.reply(ok())
    ask()
    assert stub.connections == 2


def test_pieces_of_a_chunked_answer_come_as_they_were_sent(stub: Stub) -> None:
    stub.reply(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n", then="hang")
    pieces = upstream.Body(upstream.send("GET", "/a", HEADERS))
    assert next(iter(pieces)) == b"first"
    pieces.close()


def test_stream_that_is_left_early_closes_its_connection(stub: Stub) -> None:
    stub.reply(ok(bytes(3_000_000)), then="hang")
    pieces = upstream.Body(upstream.send("GET", "/a", HEADERS))
    next(iter(pieces))
    pieces.close()
    stub.wait_for_end()


def test_body_whose_iteration_fails_leaves_no_whole_request(stub: Stub) -> None:
    def failing() -> Iterator[bytes]:
        yield b"first"
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        upstream.send("PUT", "/a", HEADERS, body=failing(), traffic="transfer")
    seen = stub.wait_for_end()
    assert not seen.is_whole
    assert not seen.body.endswith(b"0\r\n\r\n")


def test_send_adds_no_user_agent_when_the_caller_has_one(stub: Stub) -> None:
    upstream.read(upstream.send("GET", "/a", HEADERS | {"User-Agent": "caller/1"}), 10)
    assert stub.seen[0].all_of("User-Agent") == ["caller/1"]


@pytest.mark.parametrize(("size", "sends"), [(0, 1), (8, 1), (connections.MAXIMUM_JOINED_BYTES + 1, 2)])
def test_request_is_sent_at_once_with_a_small_body(
    stub: Stub, monkeypatch: pytest.MonkeyPatch, size: int, sends: int
) -> None:
    sent, send, body = list[bytes](), socket.socket.sendall, b"x" * size

    def note(sock: socket.socket, data: bytes) -> None:
        # Stubs answer in threads of this process.
        if threading.current_thread() is threading.main_thread():
            sent.append(data)
        send(sock, data)

    monkeypatch.setattr("socket.socket.sendall", note)
    upstream.read(upstream.send("POST", "/a", HEADERS, body=body), 10)
    assert stub.seen[0].body == body
    assert len(sent) == sends


@pytest.mark.parametrize(
    ("body", "framing"),
    [
        (None, ["Content-Length: 0"]),
        (b"12345", ["Content-Length: 5"]),
        (iter([b"123", b"", b"45"]), ["Transfer-Encoding: chunked"]),
    ],
)
def test_body_s_end_is_told_in_one_way(stub: Stub, body: Any, framing: list[str]) -> None:
    upstream.read(upstream.send("POST", "/a", HEADERS, body=body), 10)
    (seen,) = stub.seen
    told = [line for line in seen.head.decode().split("\r\n") if line.startswith(("Content-Length", "Transfer-"))]
    is_chunked = framing == ["Transfer-Encoding: chunked"]
    assert told == framing
    assert seen.body == (b"" if body is None else b"3\r\n123\r\n2\r\n45\r\n0\r\n\r\n" if is_chunked else b"12345")


def test_get_says_nothing_of_a_body(stub: Stub) -> None:
    ask()
    assert b"Content-Length" not in stub.seen[0].head


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("/a HTTP/1.1\r\nX-Mlflow-Workspace: other\r\nX:", {}),
        ("/a b", {}),
        ("/ä", {}),
        ("/a", {"User-Agent": "x\r\nTransfer-Encoding: chunked"}),
        ("/a", {"User-Agent": "x\nX-Mlflow-Workspace: other"}),
        ("/a", {"User-Agent": "x\r\n\r\nGET /b HTTP/1.1"}),
        ("/a", {"User-Agent": "\u20ac"}),
        ("/a", {"User Agent": "x"}),
        ("/a", {"content-length": "3", "Content-Length": "5"}),
        ("/a", {"Transfer-Encoding": "chunked"}),
        ("/a", {"transfer-encoding": "identity"}),
    ],
)
def test_head_that_could_be_read_in_two_ways_is_never_sent(stub: Stub, target: str, told: dict[str, str]) -> None:
    with pytest.raises(UpstreamGarbledError):
        upstream.send("POST", target, HEADERS | told, body=b"12345")
    assert (stub.seen, stub.connections) == ([], 0)


@pytest.mark.parametrize("target", ["/a/%2e%2e/b", "/a//b", "/a/../b", "/%7Ea?x=%2F&y=a+b", "/a;b='c'"])
def test_target_is_sent_unchanged(stub: Stub, target: str) -> None:
    ask(target)
    assert stub.seen[0].target.lower() == target.lower()


def test_nobody_there_is_refused(stub: Stub) -> None:
    with stub.not_listening(), pytest.raises(UpstreamRefusedError):
        ask()


def test_name_that_does_not_resolve_is_refused(settings: object) -> None:
    settings.MLFLOW_SERVER_URL = "http://mlflow.invalid:5000"  # type: ignore[attr-defined]
    with pytest.raises(UpstreamRefusedError):
        ask()


def test_silence_is_timed_out(stub: Stub, settings: Any) -> None:
    settings.HOKUSAI_METADATA_TIMEOUT = 0.2
    stub.reply(then="hang")
    with pytest.raises(UpstreamTimedOutError):
        ask()


def test_body_that_stalls_is_timed_out(stub: Stub, settings: Any) -> None:
    # The head has to come in time.
    settings.HOKUSAI_METADATA_TIMEOUT = 4.0
    stub.reply(ok(b"12345")[:-1], then="hang")
    response = upstream.send("GET", "/a", HEADERS)
    with pytest.raises(UpstreamTimedOutError):
        list(upstream.Body(response))


def test_body_that_is_cut_is_garbled(stub: Stub) -> None:
    stub.reply(ok(b"12345")[:-1], then="close")
    with pytest.raises(UpstreamGarbledError):
        list(upstream.Body(upstream.send("GET", "/a", HEADERS)))


def test_more_callers_than_pooled_connections_are_all_served(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "POOL_SIZE", 2)
    upstream._pool.cache_clear()
    held = [upstream.send("GET", f"/{number}", HEADERS) for number in range(6)]
    assert [upstream.read(response, 10) for response in held] == [b"{}"] * 6
    gc.collect()


def test_pool_is_shared_by_the_threads_of_a_process(stub: Stub) -> None:
    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
        thread.join()
    assert stub.connections == 1
