"""Replies built from an upstream's answer: hardened, readable, and never leaving a connection behind."""

import json
from typing import Any

import pytest
from django.http import HttpResponseBase

from mlflow_proxy import headers, replies, upstream
from mlflow_proxy.exceptions import UpstreamGarbledError
from mlflow_proxy.routes import Route, find
from tests.mlflow_proxy.stub import Stub, chunked_ok, ok

METADATA = find("GET", ("api", "2.0", "mlflow", "runs", "get"))
LISTING = find("GET", ("api", "2.0", "mlflow-artifacts", "artifacts"))
SERVER_INFO = find("GET", ("api", "3.0", "mlflow", "server-info"))


def relay(stub: Stub, answer: bytes, route: Route = METADATA) -> HttpResponseBase:
    stub.reply(answer, then="hang")
    return replies.relay(upstream.send("GET", "/a", {"Host": "mlflow"}), route)


def content(reply: Any) -> bytes:
    return b"".join(reply.streaming_content) if reply.streaming else reply.content


@pytest.mark.parametrize(("size", "is_streamed"), [(0, False), (upstream.PIECE, False), (upstream.PIECE + 1, True)])
def test_relay_success_is_streamed_where_it_is_more_than_a_piece(stub: Stub, size: int, is_streamed: bool) -> None:
    reply = relay(stub, ok(bytes(size), status="201 Created"))
    assert (reply.status_code, reply.streaming, content(reply)) == (201, is_streamed, bytes(size))


def test_relay_small_answer_that_is_cut_is_an_error_and_no_reply(stub: Stub) -> None:
    stub.reply(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}", then="close")
    with pytest.raises(UpstreamGarbledError):
        replies.relay(upstream.send("GET", "/a", {"Host": "mlflow"}), METADATA)


def test_relay_answer_without_content_type_gets_none_of_djangos(stub: Stub) -> None:
    reply = relay(stub, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
    assert "Content-Type" not in reply
    assert content(reply) == b"{}"


@pytest.mark.parametrize(
    ("answer", "route"),
    [
        (ok(), METADATA),
        (ok(status="404 Not Found"), METADATA),
        (ok(), SERVER_INFO),
        (ok(), LISTING),
    ],
)
def test_relay_every_reply_is_hardened(stub: Stub, answer: bytes, route: Route) -> None:
    reply = relay(stub, answer, route)
    assert {name: reply[name] for name in headers.HARDENING} == headers.HARDENING
    content(reply)


@pytest.mark.parametrize(
    "answer",
    [
        ok(status="302 Found"),
        ok(b"{}", "ETag: a\x7f"),
    ],
)
def test_relay_answer_that_is_refused_is_not_left_open(stub: Stub, answer: bytes) -> None:
    with pytest.raises(UpstreamGarbledError):
        relay(stub, answer)
    stub.wait_for_end()


def test_relay_empty_listing_says_that_it_is_a_list(stub: Stub) -> None:
    assert json.loads(content(relay(stub, ok(b"{}"), LISTING))) == {"files": []}


def test_relay_listing_of_unknown_length_is_untouched(stub: Stub) -> None:
    assert content(relay(stub, chunked_ok(b"{}"), LISTING)) == b"{}"


def test_relay_server_info_of_unknown_length_is_rewritten(stub: Stub) -> None:
    reply = relay(stub, chunked_ok(b'{"multipart_uploads_enabled"', b": true}"), SERVER_INFO)
    assert json.loads(content(reply))["multipart_uploads_enabled"] is False


def test_error_body_holds_both_vocabularies() -> None:
    reply = replies.error_body(404, "ENDPOINT_NOT_FOUND", "ROUTE_UNKNOWN", "No.", required_scope="x")
    document = json.loads(reply.content)
    assert document == {
        "error_code": "ENDPOINT_NOT_FOUND",
        "reason": "ROUTE_UNKNOWN",
        "message": "No.",
        "detail": "No.",
        "required_scope": "x",
        "request_id": "",
    }
