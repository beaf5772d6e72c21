"""What is no clear HTTP request dies before it reaches MLflow."""

import pytest

from tests.mlflow_proxy.portal import Portal
from tests.mlflow_proxy.stub import Stub
from tests.mlflow_proxy.wire import CREATE, FILES, SEARCH, M, call, head, send_raw, status_of

NEXT = b"GET /api/mlflow/version HTTP/1.1\r\nHost: x\r\n\r\n"


def assert_refused_alone(reply: bytes, upstream: Stub, statuses: set[int]) -> None:
    """One refusal, no second reply, nothing upstream."""
    assert status_of(reply) in statuses
    assert reply.count(b"HTTP/1.1 ") == 1
    assert upstream.connections == 0


@pytest.mark.parametrize(
    "lines",
    [
        ("Content-Length: 5", "Transfer-Encoding: chunked"),
        ("Content-Length: 5", "Content-Length: 6"),
        ("Content-Length: 5", "Content-Length: 5"),
        ("Content-Length: 5, 5",),
        ("Content-Length: +5",),
        ("Content-Length: 0x5",),
        ("Content-Length: 0_5",),
        ("Content-Length: -1",),
        ("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"),
        ("Transfer-Encoding: chunked, chunked",),
        ("Transfer-Encoding: \x0bchunked",),
        ("Transfer-Encoding : chunked",),
        ("Transfer-Encoding: gzip", "Content-Length: 5"),
        ("Transfer-Encoding: identity", "Content-Length: 5"),
        ("Transfer-Encoding: identity",),
        ("Transfer-Encoding: gzip",),
        ("Transfer-Encoding: gzip, chunked",),
        ("Transfer-Encoding: identity, chunked",),
        ("Transfer-Encoding: gzip", "Transfer-Encoding: chunked"),
        ("Transfer-Encoding: x-unheard-of",),
    ],
)
def test_framing_basics_doubtful_length_is_refused(served: Portal, upstream: Stub, lines: tuple[str, ...]) -> None:
    reply = send_raw(served, head(served, f"POST {CREATE} HTTP/1.1", *lines), b"5\r\nhello\r\n0\r\n\r\n", NEXT)
    assert_refused_alone(reply, upstream, {400, 501})


def test_framing_basics_chunked_in_http_1_0_is_refused(served: Portal, upstream: Stub) -> None:
    request = head(served, f"POST {CREATE} HTTP/1.0", "Transfer-Encoding: chunked")
    assert_refused_alone(send_raw(served, request, b"5\r\nhello\r\n0\r\n\r\n", NEXT), upstream, {400})


@pytest.mark.parametrize(
    "line", ["Accept: a\r\n folded", "no-colon", ": no-name", "Sp ace: x", "Nul: a\x00b", "Cr: a\rb"]
)
def test_framing_malformed_header_is_refused(served: Portal, upstream: Stub, line: str) -> None:
    assert_refused_alone(send_raw(served, head(served, f"GET {SEARCH} HTTP/1.1", line)), upstream, {400})


@pytest.mark.parametrize(
    "line",
    [
        *("SCRIPT_NAME: /pfx", "PATH_INFO: /admin/", "X_Forwarded_User: admin", "Content_Length: 0"),
        *("X_API_KEY: x", "Remote_User: admin", "X-Forwarded_For: 127.0.0.1"),
    ],
)
def test_script_name_and_underscore_header_is_refused(served: Portal, upstream: Stub, line: str) -> None:
    assert_refused_alone(send_raw(served, head(served, f"GET {SEARCH} HTTP/1.1", line)), upstream, {400})


def test_script_name_from_a_trusted_proxy_is_refused(behind_proxy: Portal, upstream: Stub) -> None:
    request = head(behind_proxy, f"GET {SEARCH} HTTP/1.1", "SCRIPT_NAME: /pfx")
    assert_refused_alone(send_raw(behind_proxy, request), upstream, {400})


@pytest.mark.parametrize("host", ["evil.example", "x/../y", "127.0.0.1:99999x", "a b", "localhost@evil.example"])
@pytest.mark.parametrize("path", [SEARCH, "/", "/nowhere"])
def test_host_and_target_forms_foreign_host_is_400(served: Portal, upstream: Stub, host: str, path: str) -> None:
    assert_refused_alone(send_raw(served, head(served, f"GET {path} HTTP/1.1", host=host)), upstream, {400})


def test_host_and_target_forms_two_hosts_are_400(served: Portal, upstream: Stub) -> None:
    assert_refused_alone(
        send_raw(served, head(served, f"GET {SEARCH} HTTP/1.1", "Host: evil.example")), upstream, {400}
    )


def test_host_and_target_forms_no_host_is_400(served: Portal, upstream: Stub) -> None:
    request = head(served, f"GET {SEARCH} HTTP/1.1").replace(f"Host: {served.netloc}\r\n".encode(), b"")
    assert_refused_alone(send_raw(served, request), upstream, {400})


@pytest.mark.parametrize(
    "request_line",
    [
        f"GET http://evil.example{SEARCH} HTTP/1.1",
        f"GET //evil.example{SEARCH} HTTP/1.1",
        "GET //evil.example/x HTTP/1.1",
        "CONNECT evil.example:443 HTTP/1.1",
        "OPTIONS * HTTP/1.1",
        f"OPTIONS {SEARCH} HTTP/1.1",
        f"TRACE {SEARCH} HTTP/1.1",
        f"CONNECT {SEARCH} HTTP/1.1",
        f"PROPFIND {SEARCH} HTTP/1.1",
        f"get {SEARCH} HTTP/1.1",
        f"GET {SEARCH} HTTP/2.0",
        f"GET {SEARCH}",
    ],
)
def test_host_and_target_forms_odd_request_line_is_4xx(served: Portal, upstream: Stub, request_line: str) -> None:
    reply = send_raw(served, head(served, request_line))
    assert_refused_alone(reply, upstream, {400, 404, 405, 501, 505})


@pytest.mark.parametrize("form", ["http://127.0.0.1:{port}", "http://localhost"])
def test_absolute_form_of_an_allowed_host_never_reaches_upstream(served: Portal, upstream: Stub, form: str) -> None:
    request = head(served, f"GET {form.format(port=served.port)}{SEARCH} HTTP/1.1")
    assert_refused_alone(send_raw(served, request), upstream, {400, 404})


@pytest.mark.parametrize(
    "path",
    [
        "0/../../../mlflow/webhooks",
        "x/../../../mlflow/experiments/search",
        "x/%2e%2e/%2e%2e/%2E%2E/mlflow/experiments/search",
        "..",
        ".",
        "%2e",
        "%252e",
        "./0/a",
        "0//a",
        "%2530/a",
        "%252530/a",
        "0%252fa",
        "..%5c..%5ca",
        "%2fetc%2fpasswd",
        "a%0Ab",
        "a%00b",
        "a/",
        "%ff",
    ],
)
@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT"])
def test_dot_segments_and_second_spellings_never_reach_upstream(
    served: Portal, upstream: Stub, method: str, path: str
) -> None:
    reply = send_raw(served, head(served, f"{method} {FILES}/{path} HTTP/1.1"))
    assert_refused_alone(reply, upstream, {400})
    assert b"AMBIGUOUS_PATH" in reply


@pytest.mark.parametrize(
    "path", [f"{M}/../mlflow/version", "/api%2fmlflow/version", "/api/%6Dlflow/../x", "/api/mlflow//version"]
)
def test_mount_in_a_second_spelling_never_reaches_upstream(served: Portal, upstream: Stub, path: str) -> None:
    assert_refused_alone(send_raw(served, head(served, f"GET {path} HTTP/1.1")), upstream, {400, 404})


@pytest.mark.parametrize(
    ("sent", "rendered"),
    [
        ("0/a%20b.txt", "0/a%20b.txt"),
        ("0/100%25.txt", "0/100%25.txt"),
        ("0/%7Ea", "0/~a"),
        ("0/%C3%BC%E6%97%A5", "0/%C3%BC%E6%97%A5"),
        ("0/a;b+c&d=e,f", "0/a;b+c&d=e,f"),
        ("0/'q'%22[x]", "0/'q'%22%5Bx%5D"),
        ("0/a%23b%3Fc", "0/a%23b%3Fc"),
        ("%61/..b/...", "a/..b/..."),
    ],
)
def test_target_is_sent_as_rendered(served: Portal, upstream: Stub, sent: str, rendered: str) -> None:
    send_raw(served, head(served, f"GET {FILES}/{sent} HTTP/1.1"))
    assert upstream.seen[0].target == f"/api/2.0/mlflow-artifacts/artifacts/{rendered}"


def test_target_comes_from_raw_uri(served: Portal, upstream: Stub) -> None:
    reply = call(served, "GET", f"{M}/api/2.0%2fmlflow/experiments/search")
    assert reply.status == 400
    assert upstream.seen == []


def test_query_keeps_order_and_repeats(served: Portal, upstream: Stub) -> None:
    call(served, "GET", f"{M}/api/3.0/mlflow/traces/batchGet?trace_ids=b&x=1&trace_ids=a&trace_ids=")
    assert upstream.seen[0].target == "/mlflow/api/3.0/mlflow/traces/batchGet?trace_ids=b&x=1&trace_ids=a&trace_ids="


def test_request_line_of_8000_bytes_is_accepted(served: Portal, upstream: Stub) -> None:
    line = f"GET {SEARCH}&filter="
    target = f"{SEARCH}&filter={'a' * (8000 - len(line) - len(' HTTP/1.1'))}"
    assert len(f"GET {target} HTTP/1.1") == 8000
    assert call(served, "GET", target).status == 200
    assert upstream.seen[0].target.endswith("a" * 7000)


def test_request_line_above_the_limit_is_414_or_400(served: Portal, upstream: Stub) -> None:
    assert_refused_alone(send_raw(served, head(served, f"GET /{'a' * 9000} HTTP/1.1")), upstream, {400, 414})
