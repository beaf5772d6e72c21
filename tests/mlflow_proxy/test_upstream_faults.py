"""Whatever MLflow does wrong becomes one readable error, or a broken reply once bytes were sent."""

import http.client
import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from mlflow_proxy import exceptions, replies
from mlflow_proxy.heads import MAXIMUM_INTERIM_REPLIES
from tests.mlflow_proxy.portal import Portal
from tests.mlflow_proxy.stub import Answer, Ending, Seen, Stub, chunked_ok, ok
from tests.mlflow_proxy.wire import CREATE, FILES, SEARCH, M, Reply, call, head, send_raw

FILE = f"{FILES}/0/run/artifacts/a.bin"
JSON = "Content-Type: application/json"
ENDINGS: list[Ending] = ["close", "reset"]
CHANGES = [
    ("POST", CREATE),
    ("POST", f"{M}/api/2.0/mlflow/runs/log-metric"),
    ("PATCH", f"{M}/api/2.0/mlflow/registered-models/update"),
    ("DELETE", f"{M}/api/2.0/mlflow/registered-models/delete"),
    ("PUT", FILE),
]


def assert_portal_error(reply: Reply, status: int, reason: str) -> None:
    """The shape that every error of the proxy paths has."""
    document = reply.json
    assert (reply.status, document["reason"]) == (status, reason)
    assert document.keys() >= {"error_code", "reason", "message", "detail", "request_id"}
    assert document["message"] == document["detail"] != ""
    assert document["request_id"] == reply.request_id != ""
    assert reply.headers["content-type"] == "application/json"


def raw(*lines: str, body: bytes = b"") -> bytes:
    return "\r\n".join(["HTTP/1.1 200 OK", JSON, *lines, "", ""]).encode("latin-1") + body


GARBAGE = {
    "junk": b"this is no HTTP\r\n\r\n",
    "junk version": b"HTTP/9.9 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    "junk status": b"HTTP/1.1 abc OK\r\nContent-Length: 2\r\n\r\n{}",
    "empty": b"",
    "half a head": b"HTTP/1.1 200 OK\r\nContent-Le",
    "half a length": b"HTTP/1.1 200 OK\r\nContent-Length: 0",
    "head without its end": raw("Content-Length: 0").removesuffix(b"\r\n"),
    "status line alone": b"HTTP/1.1 200 OK\r\n",
    "close after the head": raw("Content-Length: 5"),
    "close after a chunked head": raw("Transfer-Encoding: chunked"),
    "junk for the first chunk": raw("Transfer-Encoding: chunked", body=b"zz\r\n"),
    "length and coding": raw("Content-Length: 2", "Transfer-Encoding: chunked", body=b"2\r\n{}\r\n0\r\n\r\n"),
    "two lengths": raw("Content-Length: 2", "Content-Length: 3", body=b"{} "),
    "list of lengths": raw("Content-Length: 2, 2", body=b"{}"),
    "signed length": raw("Content-Length: +2", body=b"{}"),
    "negative length": raw("Content-Length: -2", body=b"{}"),
    "hexadecimal length": raw("Content-Length: 0x2", body=b"{}"),
    "empty length": raw("Content-Length: ", body=b"{}"),
    "gzip coding": raw("Transfer-Encoding: gzip", body=b"{}"),
    "two codings": raw("Transfer-Encoding: gzip, chunked", body=b"2\r\n{}\r\n0\r\n\r\n"),
    "coding twice": raw("Transfer-Encoding: chunked", "Transfer-Encoding: chunked", body=b"2\r\n{}\r\n0\r\n\r\n"),
    "close-delimited": raw(body=b'{"cut": "or not"}'),
    "HTTP/1.0 close-delimited": b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n{}",
    "flood of 100": b"HTTP/1.1 100 Continue\r\n\r\n" * (MAXIMUM_INTERIM_REPLIES + 1) + ok(),
    "103": b"HTTP/1.1 103 Early Hints\r\nContent-Length: 0\r\n\r\n",
    "101": b"HTTP/1.1 101 Switching Protocols\r\nContent-Length: 0\r\nUpgrade: x\r\n\r\n",
    "header of 10 MB": raw(f"X-Huge: {'a' * 10_000_000}", "Content-Length: 2", body=b"{}"),
    "10,000 headers": raw(*[f"X-{number}: a" for number in range(10_000)], "Content-Length: 2", body=b"{}"),
    "value with NUL": raw("Content-Length: 2", "Content-Disposition: a\x00b", body=b"{}"),
    "value with DEL": raw("Content-Length: 2", "ETag: a\x7f", body=b"{}"),
}


@pytest.mark.parametrize("target", [SEARCH, FILE])
@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
def test_upstream_garbage_before_any_byte_was_sent_is_502(
    served: Portal, upstream: Stub, garbage: bytes, target: str
) -> None:
    upstream.reply(garbage, then="close")
    assert_portal_error(call(served, "GET", target), 502, "UPSTREAM_GARBLED")


def test_upstream_garbage_connection_is_not_used_again(served: Portal, upstream: Stub) -> None:
    answers = iter([GARBAGE["two lengths"], ok()])
    upstream.script = lambda _: Answer([next(answers)])
    assert call(served, "GET", SEARCH).status == 502
    assert call(served, "GET", SEARCH).status == 200
    assert [seen.connection for seen in upstream.seen] == [1, 2]


def test_upstream_garbage_endless_head_is_bounded(served: Portal, upstream: Stub) -> None:
    def endless() -> object:
        yield b"HTTP/1.1 200 OK\r\n"
        while True:
            yield b"X-More: " + bytes(1000).replace(b"\0", b"a") + b"\r\n"

    upstream.script = lambda _: Answer(endless())  # type: ignore[arg-type]
    assert_portal_error(call(served, "GET", SEARCH), 502, "UPSTREAM_GARBLED")
    upstream.wait(lambda: upstream.seen[0].is_answer_cut)


@pytest.mark.parametrize("extra", [b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison", b"poison", bytes(300_000)])
@pytest.mark.parametrize("first", [ok(b"mine"), chunked_ok(b"mine")], ids=["length", "chunked"])
def test_upstream_garbage_beyond_the_body_never_leaks_into_the_next_reply(
    served: Portal, upstream: Stub, first: bytes, extra: bytes
) -> None:
    answers = iter([first + extra, ok(b"yours")])
    upstream.script = lambda _: Answer([next(answers)])
    assert call(served, "GET", FILE).body == b"mine"
    assert call(served, "GET", FILE, who="reader").body == b"yours"


@pytest.mark.parametrize("bad", [b"zz\r\nmore\r\n0\r\n\r\n", b"-1\r\n\r\n", b"4\r\nmo"])
def test_upstream_garbage_once_bytes_were_sent_breaks_the_reply(served: Portal, upstream: Stub, bad: bytes) -> None:
    upstream.reply(chunked_ok(bytes(200_000)).removesuffix(b"0\r\n\r\n") + bad, then="close")
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        call(served, "GET", FILE)


@pytest.mark.parametrize("value", ["a\r\n folded", "a\r\n\tSet-Cookie: b=c", "a\rSet-Cookie: b=c"])
def test_header_injection_broken_value_adds_no_line(served: Portal, upstream: Stub, value: str) -> None:
    upstream.reply(raw("Content-Length: 2", f"Content-Disposition: {value}", body=b"{}"))
    reply = send_raw(served, head(served, f"GET {FILE} HTTP/1.1"))
    assert b"\r\nset-cookie" not in reply.lower()
    assert b"\r\n folded" not in reply
    assert b"\r\n\t" not in reply


def test_header_injection_latin_1_value_is_relayed(served: Portal, upstream: Stub) -> None:
    upstream.reply(raw("Content-Length: 2", "Content-Disposition: attachment; filename=\xfc", body=b"{}"))
    reply = send_raw(served, head(served, f"GET {FILE} HTTP/1.1"))
    assert b"filename=\xfc\r\n" in reply


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
@pytest.mark.parametrize("location", ["http://127.0.0.1:{port}/x", "//evil.example/x", "/mlflow/", ""])
def test_upstream_redirect_is_502_and_never_followed(
    served: Portal, upstream: Stub, status: int, location: str
) -> None:
    upstream.reply(ok(b"", f"Location: {location.format(port=upstream.port)}", status=f"{status} Moved"))
    reply = call(served, "GET", SEARCH)
    assert_portal_error(reply, 502, "UPSTREAM_REDIRECTED")
    assert "location" not in reply.headers
    assert len(upstream.seen) == 1


def test_upstream_refused_is_503_with_retry_after(served: Portal, upstream: Stub) -> None:
    with upstream.not_listening():
        reply = call(served, "GET", SEARCH)
    assert_portal_error(reply, 503, "UPSTREAM_REFUSED")
    soonest = exceptions.UpstreamRefusedError.retry_after
    assert int(reply.headers["retry-after"]) - soonest in range(exceptions.UpstreamRefusedError.retry_spread + 1)
    assert reply.json["error_code"] == "TEMPORARILY_UNAVAILABLE"


def test_upstream_refused_without_a_key_stays_401(served: Portal, upstream: Stub) -> None:
    with upstream.not_listening():
        assert call(served, "GET", SEARCH, who=None).status == 401


def test_upstream_back_again_is_served(served: Portal, upstream: Stub) -> None:
    with upstream.not_listening():
        assert call(served, "GET", SEARCH).status == 503
    assert call(served, "GET", SEARCH).status == 200


@pytest.mark.parametrize("target", [SEARCH, FILE])
def test_upstream_timed_out_before_the_head_is_504(served: Portal, upstream: Stub, target: str) -> None:
    upstream.reply(then="hang")
    reply = call(served, "GET", target)
    assert_portal_error(reply, 504, "UPSTREAM_TIMED_OUT")
    assert reply.json["error_code"] == "DEADLINE_EXCEEDED"
    assert "retry-after" not in reply.headers
    upstream.wait_for_end()


def test_upstream_timed_out_before_the_first_byte_is_504(served: Portal, upstream: Stub) -> None:
    upstream.reply(raw("Content-Length: 5"), then="hang")
    assert_portal_error(call(served, "GET", FILE), 504, "UPSTREAM_TIMED_OUT")


def test_upstream_timed_out_hung_metadata_leaves_transfers_alone(served: Portal, upstream: Stub) -> None:
    upstream.script = lambda seen: Answer([], "hang") if "search" in seen.target else Answer([ok(b"file")])
    assert call(served, "GET", SEARCH).status == 504
    assert call(served, "GET", FILE).body == b"file"


@pytest.mark.parametrize("then", ["close", "reset"])
def test_reset_after_send_post_is_seen_once(served: Portal, upstream: Stub, then: str) -> None:
    since = len(served.log)
    upstream.reply(then=then)
    assert_portal_error(call(served, "POST", CREATE, body=b"{}"), 502, "UPSTREAM_GARBLED")
    assert len(upstream.seen) == 1
    served.wait_for_event(since, event="upstream_failed", ambiguous=True)


def sent_twice(served: Portal, upstream: Stub, trials: int) -> list[int]:
    """Reset as many calls once they are whole, every other on a used connection; return those that came again."""
    dice, since = random.Random(trials), len(served.log)
    plan = {number: (dice.randrange(len(ok())), dice.choice(ENDINGS)) for number in range(trials)}
    times: Counter[int] = Counter()

    def script(seen: Seen) -> Answer:
        # Thousands would not fit into memory.
        upstream.seen.clear()
        if seen.method == "GET":
            return Answer([ok()])
        number = int(seen.target.rpartition("=")[2])
        times[number] += 1
        cut, then = plan[number]
        return Answer([ok()[:cut]], then)

    def reset_one(number: int) -> int:
        if number % 2:
            call(served, "GET", SEARCH)
        method, target = dice.choice(CHANGES)
        try:
            return call(served, method, f"{target}?trial={number}", body=b"{}").status
        except http.client.IncompleteRead:
            return 0

    upstream.script = script
    with ThreadPoolExecutor(4) as pool:
        told = Counter(pool.map(reset_one, plan))
    assert times.keys() == plan.keys()
    assert told.keys() <= {502, 0}
    # Where the head came, MLflow has said what became of the call.
    in_doubt = sum(cut < len(ok(b"")) for cut, _ in plan.values())
    assert len([event for event in served.events(since) if event.get("ambiguous")]) == in_doubt
    return [number for number, count in times.items() if count > 1]


def test_reset_after_send_50_times_sends_nothing_twice(served: Portal, upstream: Stub) -> None:
    assert sent_twice(served, upstream, 50) == []


@pytest.mark.soak
def test_reset_after_send_1000_times_sends_nothing_twice(served: Portal, upstream: Stub) -> None:
    assert sent_twice(served, upstream, 1000) == []


@pytest.mark.parametrize("status", [500, 502, 503, 504, 429, 408])
def test_error_of_upstream_is_never_repeated_by_the_portal(served: Portal, upstream: Stub, status: int) -> None:
    upstream.reply(ok(b'{"error_code":"INTERNAL_ERROR","message":"m"}', "Retry-After: 0", status=f"{status} No"))
    assert call(served, "POST", CREATE, body=b"{}").status == status
    assert len(upstream.seen) == 1


def test_error_of_mlflow_keeps_its_words(served: Portal, upstream: Stub) -> None:
    upstream.reply(ok(b'{"error_code":"RESOURCE_DOES_NOT_EXIST","message":"No such run"}', status="404 Not Found"))
    reply = call(served, "GET", f"{M}/api/2.0/mlflow/runs/get?run_id=x")
    assert_portal_error(reply, 404, "UPSTREAM_ANSWERED")
    assert (reply.json["error_code"], reply.json["message"]) == ("RESOURCE_DOES_NOT_EXIST", "No such run")


@pytest.mark.parametrize(("status", "code"), replies.CODES_BY_STATUS.items())
def test_html_error_of_upstream_becomes_json(served: Portal, upstream: Stub, status: int, code: str) -> None:
    upstream.reply(ok(b"<html>no</html>", "Content-Type: text/html", status=f"{status} No"))
    reply = call(served, "GET", SEARCH)
    assert_portal_error(reply, status, "UPSTREAM_ANSWERED")
    assert reply.json["error_code"] == code
    assert b"html" not in reply.body


@pytest.mark.parametrize(
    "body", [b"", b"null", b"[]", b"{", b"\xff\xfe", b'{"detail":[{"loc":["a"],"msg":"m"}]}', b"{}"]
)
def test_odd_error_body_of_upstream_becomes_json(served: Portal, upstream: Stub, body: bytes) -> None:
    upstream.reply(ok(body, status="500 No"))
    assert_portal_error(call(served, "GET", SEARCH), 500, "UPSTREAM_ANSWERED")


def test_endless_error_body_of_upstream_is_bounded(served: Portal, upstream: Stub) -> None:
    def endless() -> object:
        yield b"HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n"
        while True:
            yield b"10000\r\n" + bytes(65536) + b"\r\n"

    upstream.script = lambda _: Answer(endless())  # type: ignore[arg-type]
    assert call(served, "GET", SEARCH).status == 500
    upstream.wait(lambda: upstream.seen[0].is_answer_cut)


def test_invalid_host_of_upstream_is_the_portals_fault(served: Portal, upstream: Stub) -> None:
    refusal = b"Invalid Host header - possible DNS rebinding attack detected"
    upstream.reply(ok(refusal, "Content-Type: text/plain", status="403 Forbidden"))
    fault = exceptions.UpstreamRejectedError
    assert_portal_error(call(served, "GET", SEARCH), fault.status, "UPSTREAM_HOST_REJECTED")


def test_401_of_upstream_never_becomes_a_401(served: Portal, upstream: Stub) -> None:
    upstream.reply(ok(b"login", "WWW-Authenticate: Basic", "Content-Type: text/plain", status="401 Unauthorized"))
    reply = call(served, "GET", SEARCH)
    assert_portal_error(reply, exceptions.UpstreamRejectedError.status, "UPSTREAM_DEMANDS_LOGIN")
    assert "www-authenticate" not in reply.headers


@pytest.mark.parametrize("sign", replies.MISSING_OBJECT_SIGNS)
def test_missing_object_of_the_store_is_404(served: Portal, upstream: Stub, sign: str) -> None:
    message = f"An error occurred {sign} operation: Not Found"
    upstream.reply(ok(f'{{"error_code":"INTERNAL_ERROR","message":"{message}"}}'.encode(), status="500 No"))
    reply = call(served, "GET", FILE)
    assert_portal_error(reply, 404, "ARTIFACT_MISSING")
    assert reply.json["error_code"] == "RESOURCE_DOES_NOT_EXIST"


def test_missing_object_signs_outside_artifact_routes_mean_nothing(served: Portal, upstream: Stub) -> None:
    message = replies.MISSING_OBJECT_SIGNS[0]
    upstream.reply(ok(f'{{"error_code":"INTERNAL_ERROR","message":"{message}"}}'.encode(), status="500 No"))
    assert call(served, "GET", SEARCH).status == 500


@pytest.mark.parametrize(("status", "reason"), [*replies.STORE_REASONS.items(), (500, "STORE_FAILED")])
def test_store_that_refuses_mlflow_is_the_portals_fault(
    served: Portal, upstream: Stub, status: int, reason: str
) -> None:
    message = f"{replies.STORE_FAULT_SIGN}s3://planted-bucket/x: denied"
    upstream.reply(ok(f'{{"error_code":"X","message":"{message}"}}'.encode(), status=f"{status} No"))
    reply = call(served, "GET", f"{FILES}?path=a")
    assert_portal_error(reply, exceptions.UpstreamRejectedError.status, reason)
    assert b"planted" not in reply.body


def test_artifact_failure_keeps_the_inside_to_the_log(served: Portal, upstream: Stub) -> None:
    since = len(served.log)
    upstream.reply(ok(b'{"error_code":"INTERNAL_ERROR","message":"planted bucket"}', status="500 No"))
    assert b"planted" not in call(served, "GET", FILE).body
    served.wait_for_event(since, event="artifact_failed", upstream="planted bucket")


def test_server_info_says_that_the_portal_carries_the_bytes(served: Portal, upstream: Stub) -> None:
    facts = b'{"store_type":"s","multipart_uploads_enabled":true,"multipart_downloads_enabled":true}'
    upstream.reply(ok(facts))
    for form in ("api", "ajax-api"):
        document = call(served, "GET", f"{M}/{form}/3.0/mlflow/server-info").json
        assert document == {
            "store_type": "s",
            "multipart_uploads_enabled": False,
            "multipart_downloads_enabled": False,
        }


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'"text"', b"7", b"null", b""])
def test_server_info_that_is_no_object_is_502(served: Portal, upstream: Stub, body: bytes) -> None:
    upstream.reply(ok(body))
    assert_portal_error(call(served, "GET", f"{M}/api/3.0/mlflow/server-info"), 502, "UPSTREAM_GARBLED")
