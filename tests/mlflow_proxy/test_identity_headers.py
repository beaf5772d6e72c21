"""What MLflow is told about the caller: the portal's words, whatever the caller says."""

import pytest

from tests.mlflow_proxy.portal import Portal
from tests.mlflow_proxy.stub import Stub, ok
from tests.mlflow_proxy.wire import SEARCH, call

SPOOFED = {
    "X-Forwarded-For": "127.0.0.1",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Prefix": "/evil",
    "X-Forwarded-Uri": "/evil",
    "Forwarded": "for=127.0.0.1;proto=https",
    "X-Real-IP": "127.0.0.1",
    "X-Original-URL": "/admin/",
    "X-HTTP-Method-Override": "DELETE",
    "X-Client-IP": "127.0.0.1",
}


def test_forwarded_spoof_from_a_stranger_is_overwritten(served: Portal, upstream: Stub) -> None:
    call(served, "GET", SEARCH, headers=SPOOFED | {"X-Forwarded-For": "198.51.100.66"})
    seen = upstream.seen[0]
    assert seen.all_of("X-Forwarded-For") == ["127.0.0.1"]
    assert seen.all_of("X-Forwarded-Proto") == ["http"]
    assert [seen.header(name) for name in SPOOFED if name not in {"X-Forwarded-For", "X-Forwarded-Proto"}] == [None] * 8


def test_forwarded_spoof_hop_left_of_an_untrusted_one_is_not_believed(behind_proxy: Portal, upstream: Stub) -> None:
    call(behind_proxy, "GET", SEARCH, headers={"X-Forwarded-For": "127.0.0.1, 198.51.100.66"})
    assert upstream.seen[0].all_of("X-Forwarded-For") == ["198.51.100.66"]


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_scheme_of_a_trusted_proxy_is_passed_on(behind_proxy: Portal, upstream: Stub, scheme: str) -> None:
    call(behind_proxy, "GET", SEARCH, headers={"X-Forwarded-Proto": scheme})
    assert upstream.seen[0].all_of("X-Forwarded-Proto") == [scheme]


def test_forwarded_for_is_sent_when_the_caller_sends_none(served: Portal, upstream: Stub) -> None:
    call(served, "GET", SEARCH)
    assert upstream.seen[0].all_of("X-Forwarded-For") == ["127.0.0.1"]


def test_host_upstream_is_the_netloc_of_the_setting(served: Portal, upstream: Stub) -> None:
    call(served, "GET", SEARCH)
    assert upstream.seen[0].all_of("Host") == [upstream.netloc]


@pytest.mark.parametrize(
    "name",
    [
        *("Cookie", "Origin", "Referer", "X-MLFLOW-WORKSPACE", "X-MLflow-Authorization", "X-MLflow-Gateway-Caller"),
        *("X-MLflow-Guardrail-Bypass", "X-MLflow-Experiment-Id", "Proxy-Authorization", "Upgrade", "TE", "Via"),
    ],
)
def test_mlflow_headers_and_identity_of_the_caller_are_dropped(served: Portal, upstream: Stub, name: str) -> None:
    call(served, "GET", SEARCH, headers={name: "planted"})
    assert b"planted" not in upstream.seen[0].head


@pytest.mark.parametrize("named", ["Accept", "X-Request-ID, Host", "X-Forwarded-For", "close, X-Forwarded-For"])
def test_connection_header_cannot_take_ours_away(served: Portal, upstream: Stub, named: str) -> None:
    call(served, "GET", SEARCH, headers={"Connection": named})
    seen = upstream.seen[0]
    assert seen.all_of("X-Forwarded-For") == ["127.0.0.1"]
    assert seen.header("Connection") is None


def test_key_of_the_caller_never_reaches_upstream(served: Portal, upstream: Stub) -> None:
    call(served, "GET", SEARCH, headers={"X-API-Key": served.home.keys["operator"]})
    seen = upstream.seen[0]
    assert b"hk_" not in seen.head
    assert (seen.header("Authorization"), seen.header("X-API-Key")) == (None, None)


def test_netrc_is_ignored(served: Portal, upstream: Stub) -> None:
    assert (served.home.folder / ".netrc").exists()
    call(served, "GET", SEARCH)
    assert upstream.seen[0].header("Authorization") is None


def test_proxy_of_the_environment_is_ignored(served: Portal, upstream: Stub) -> None:
    assert call(served, "GET", SEARCH).status == 200
    assert upstream.seen[0].target.startswith("/mlflow/")


def test_upstream_forgets_cookies(served: Portal, upstream: Stub) -> None:
    upstream.reply(ok(b"{}", "Set-Cookie: session=planted; Path=/"))
    first = call(served, "GET", SEARCH)
    call(served, "GET", SEARCH, who="reader")
    assert "set-cookie" not in first.headers
    assert upstream.seen[1].header("Cookie") is None


@pytest.mark.parametrize(
    "line",
    [
        *("Access-Control-Allow-Origin: *", "Server: uvicorn", "X-Powered-By: planted", "Location: http://inside/"),
        *(
            "Content-Security-Policy: default-src *",
            "X-Frame-Options: ALLOWALL",
            "Strict-Transport-Security: max-age=0",
        ),
    ],
)
def test_upstream_header_outside_the_allow_list_is_not_relayed(served: Portal, upstream: Stub, line: str) -> None:
    upstream.reply(ok(b"{}", line))
    name, _, value = line.partition(": ")
    assert call(served, "GET", SEARCH).headers.get(name.lower()) != value


def test_caching_authenticated_reply_is_never_stored(served: Portal, upstream: Stub) -> None:
    upstream.reply(ok(b"{}", "Cache-Control: public, max-age=31536000", "Expires: Fri, 01 Jan 2100 00:00:00 GMT"))
    reply = call(served, "GET", SEARCH)
    assert reply.headers["cache-control"] == "private, no-store"
    assert {"Authorization", "Cookie", "Origin"} <= {word.strip() for word in reply.headers["vary"].split(",")}


def test_request_id_is_the_same_in_reply_and_upstream(served: Portal, upstream: Stub) -> None:
    reply = call(served, "GET", SEARCH)
    assert reply.request_id
    assert upstream.seen[0].all_of("X-Request-ID") == [reply.request_id]


def test_loop_is_508_and_ends_at_once(served: Portal, upstream: Stub) -> None:
    reply = call(served, "GET", SEARCH, headers={"X-Hokusai-Portal": "1"})
    assert (reply.status, reply.json["reason"]) == (508, "LOOP_DETECTED")
    assert upstream.seen == []


def test_cors_unlisted_origin_gets_no_permission(served: Portal, upstream: Stub) -> None:
    upstream.reply(ok(b"{}", "Access-Control-Allow-Origin: http://localhost:9999"))
    reply = call(served, "GET", SEARCH, headers={"Origin": "http://localhost:9999"})
    assert "access-control-allow-origin" not in reply.headers


def test_cors_listed_origin_gets_permission_on_errors_too(served: Portal, upstream: Stub) -> None:
    reply = call(served, "GET", SEARCH, who=None, headers={"Origin": "https://app.example.org"})
    assert reply.status == 401
    assert reply.headers["access-control-allow-origin"] == "https://app.example.org"
