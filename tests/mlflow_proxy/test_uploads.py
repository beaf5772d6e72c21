"""Uploads over real sockets: whole and byte for byte, or visibly unfinished upstream."""

import gzip

import pytest

from tests.mlflow_proxy.portal import Portal
from tests.mlflow_proxy.stub import Stub, dechunk, ok
from tests.mlflow_proxy.wire import CREATE, FILES, NATIVE, call, chunked, head, send_raw, status_of

FILE = f"{FILES}/0/run/artifacts/a.bin"
CHUNKED = "Transfer-Encoding: chunked"


def put(served: Portal, *lines: str) -> bytes:
    return head(served, f"PUT {FILE} HTTP/1.1", *lines)


@pytest.mark.parametrize("end", ["fin", "rst"])
def test_short_upload_is_never_a_whole_request_upstream(served: Portal, upstream: Stub, end: str) -> None:
    send_raw(served, put(served, "Content-Length: 5000000"), bytes(1_234_567), end=end)
    seen = upstream.wait_for_end()
    assert seen.header("Content-Length") == "5000000"
    assert not seen.is_whole
    assert len(seen.body) <= 1_234_567


@pytest.mark.parametrize("end", ["fin", "rst"])
def test_short_upload_is_logged(served: Portal, upstream: Stub, end: str) -> None:
    since = len(served.log)
    send_raw(served, put(served, "Content-Length: 5000000"), bytes(1_234_567), end=end)
    event = served.wait_for_event(since, reason="UPLOAD_TRUNCATED")
    assert served.home.keys["operator"].startswith(event["api_key"])
    assert event["service"] == "platform"


def test_short_upload_caller_who_still_listens_gets_400(served: Portal, upstream: Stub) -> None:
    reply = send_raw(served, put(served, "Content-Length: 5000"), bytes(1234), end="fin")
    assert status_of(reply) == 400
    assert b"UPLOAD_TRUNCATED" in reply


def test_short_upload_connection_is_not_used_again(served: Portal, upstream: Stub) -> None:
    send_raw(served, put(served, "Content-Length: 5000"), bytes(1234), end="fin")
    upstream.wait_for_end()
    assert call(served, "GET", FILE).status == 200
    assert [seen.connection for seen in upstream.seen] == [1, 2]


@pytest.mark.parametrize(
    "rest",
    [
        *(
            b"zz\r\nhello\r\n0\r\n\r\n",
            b"-5\r\nhello\r\n0\r\n\r\n",
            b"0x5\r\nhello\r\n0\r\n\r\n",
            b"\r\nhello\r\n0\r\n\r\n",
        ),
        *(b"5\r\nhelloX\r\n0\r\n\r\n", b"5\r\nhello0\r\n\r\n", b"5\r\nhel", b"5\r\nhello\r\n", b"5\r\nhello\r\n0\r\n"),
        *(b"5\nhello\n0\n\n", b"ffffffffffffffffff\r\nhello", b"5 5\r\nhello\r\n0\r\n\r\n"),
    ],
)
def test_chunked_syntax_mid_body_never_ends_the_request_upstream(served: Portal, upstream: Stub, rest: bytes) -> None:
    good = b"%x\r\n%b\r\n" % (300_000, bytes(300_000))
    reply = send_raw(served, put(served, CHUNKED), good + rest, end="fin")
    seen = upstream.wait_for_end()
    assert not seen.is_whole
    assert not seen.body.endswith(b"0\r\n\r\n")
    assert status_of(reply) in {0, 400}


@pytest.mark.parametrize("pieces", [[b"hello ", b"world"], [], [bytes(200_000), b"\x00\xff\r\n0\r\n\r\n"]])
def test_chunked_upload_on_the_native_route_is_passed_chunked(
    served: Portal, upstream: Stub, pieces: list[bytes]
) -> None:
    reply = send_raw(served, put(served, CHUNKED), chunked(pieces))
    seen = upstream.seen[0]
    assert status_of(reply) == 200
    assert (seen.all_of("Transfer-Encoding"), seen.all_of("Content-Length")) == (["chunked"], [])
    assert dechunk(seen.body) == b"".join(pieces)


@pytest.mark.parametrize("size", [0, 1, 128 * 1024, 700_001])
def test_upload_with_length_keeps_length_and_bytes(served: Portal, upstream: Stub, size: int) -> None:
    content = (b"\x00\r\n\xff" * (size // 4 + 1))[:size]
    assert call(served, "PUT", FILE, body=content).status == 200
    seen = upstream.seen[0]
    assert (seen.all_of("Content-Length"), seen.all_of("Transfer-Encoding")) == ([str(size)], [])
    assert seen.body == content


def test_upload_takes_the_native_path_without_prefix(served: Portal, upstream: Stub) -> None:
    call(served, "PUT", FILE, body=b"x")
    assert upstream.seen[0].target == f"{NATIVE}/0/run/artifacts/a.bin"


def test_chunked_json_on_a_metadata_route_goes_out_with_its_length(served: Portal, upstream: Stub) -> None:
    request = head(served, f"POST {CREATE} HTTP/1.1", CHUNKED, "Content-Type: application/json")
    assert status_of(send_raw(served, request, chunked([b'{"a":', b"1}"]))) == 200
    seen = upstream.seen[0]
    assert (seen.all_of("Content-Length"), seen.all_of("Transfer-Encoding")) == (["7"], [])
    assert seen.body == b'{"a":1}'


def test_metadata_post_without_body_goes_out_with_length_zero(served: Portal, upstream: Stub) -> None:
    assert call(served, "POST", CREATE).status == 200
    assert upstream.seen[0].all_of("Content-Length") == ["0"]


def test_delete_with_json_body_carries_it(served: Portal, upstream: Stub) -> None:
    target = "/api/mlflow/api/2.0/mlflow/registered-models/delete"
    assert call(served, "DELETE", target, body=b'{"name":"m"}').status == 200
    assert upstream.seen[0].body == b'{"name":"m"}'


def test_short_json_body_never_reaches_upstream(served: Portal, upstream: Stub) -> None:
    request = head(served, f"POST {CREATE} HTTP/1.1", "Content-Length: 500")
    assert status_of(send_raw(served, request, b'{"a":1}', end="fin")) == 400
    assert upstream.seen == []


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("framing", ["Content-Length: 2", CHUNKED])
def test_body_where_none_belongs_is_refused(served: Portal, upstream: Stub, method: str, framing: str) -> None:
    body = chunked([b"{}"]) if framing == CHUNKED else b"{}"
    assert status_of(send_raw(served, head(served, f"{method} {FILE} HTTP/1.1", framing), body)) == 400
    assert upstream.seen == []


@pytest.mark.parametrize("is_chunked", [False, True])
def test_oversize_json_is_413_without_retry_after(served: Portal, upstream: Stub, is_chunked: bool) -> None:
    framing = CHUNKED if is_chunked else "Content-Length: 100001"
    body = chunked([bytes(100_001)]) if is_chunked else bytes(100_001)
    reply = send_raw(served, head(served, f"POST {CREATE} HTTP/1.1", framing), body)
    assert status_of(reply) == 413
    assert b"\r\nretry-after:" not in reply.lower()
    assert upstream.seen == []


def test_early_401_is_readable_and_nothing_reaches_upstream(served: Portal, upstream: Stub) -> None:
    request = head(served, f"PUT {FILE} HTTP/1.1", "Content-Length: 100000", "Authorization: Bearer no-key", who=None)
    assert status_of(send_raw(served, request, bytes(100_000))) == 401
    assert upstream.connections == 0


def test_expect_100_continue_is_answered_and_not_passed_on(served: Portal, upstream: Stub) -> None:
    reply = send_raw(served, put(served, "Content-Length: 5", "Expect: 100-continue"), b"hello")
    assert reply.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")
    assert upstream.seen[0].header("Expect") is None


def test_early_answer_of_upstream_mid_upload_reaches_the_caller(served: Portal, upstream: Stub) -> None:
    too_large = ok(b'{"error_code":"BAD_REQUEST","message":"too large"}', status="413 Too Large")
    upstream.reply(too_large, then="close", is_early=True)
    reply = send_raw(served, put(served, "Content-Length: 600000"), bytes(600_000))
    assert status_of(reply) == 413


def test_otlp_body_keeps_its_encoding_and_parameters(served: Portal, upstream: Stub) -> None:
    headers = {"Content-Encoding": "gzip", "X-MLflow-Experiment-Id": "7", "Content-Type": "application/x-protobuf"}
    spans = gzip.compress(b"spans")
    assert call(served, "POST", "/api/mlflow/v1/traces", headers=headers, body=spans).status == 200
    seen = upstream.seen[0]
    assert (seen.target, seen.body) == ("/mlflow/v1/traces", spans)
    assert {name: seen.header(name) for name in headers} == headers


def test_upload_is_streamed_before_it_is_whole(served: Portal, upstream: Stub) -> None:
    send_raw(served, put(served, "Content-Length: 5000000"), bytes(1_000_000), end="fin")
    assert upstream.wait_for_end().body


@pytest.mark.parametrize(
    ("line", "status"), [("Content-Range: bytes 0-3/10", 400), ("If-None-Match: *", 412), ('If-Match: "a"', 412)]
)
def test_upload_that_mlflow_would_store_as_another_is_refused(
    served: Portal, upstream: Stub, line: str, status: int
) -> None:
    request = head(served, f"PUT {FILES}/0/run/artifacts/a HTTP/1.1", "Content-Length: 4", line)
    assert status_of(send_raw(served, request, b"part")) == status
    assert upstream.connections == 0
