"""Header rules both ways: allow-lists that nothing of the caller's identity or MLflow's crosses."""

import pytest
from django.http.request import HttpHeaders
from hypothesis import given, settings
from hypothesis import strategies as st

from mlflow_proxy import headers
from mlflow_proxy.exceptions import UpstreamGarbledError
from mlflow_proxy.routes import find

METADATA = find("GET", ("api", "2.0", "mlflow", "runs", "get"))
STREAM = find("POST", ("v1", "traces"))
OURS = {"Host": "mlflow:5000", "X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https", "X-Request-ID": "r-1"}
FORBIDDEN = [
    *("authorization", "proxy-authorization", "cookie", "x-api-key", "x-mlflow-authorization", "origin", "referer"),
    *("x-mlflow-workspace", "x-mlflow-gateway-caller", "x-mlflow-guardrail-bypass", "x-mlflow-user", "x-user"),
    *("forwarded", "x-forwarded-host", "x-forwarded-prefix", "x-forwarded-uri", "x-forwarded-server", "x-real-ip"),
    *("x-original-url", "x-rewrite-url", "x-http-method-override", "x-csrftoken", "sec-fetch-site", "expect"),
    *("connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "content-length", "via"),
    *("x-mlflow-experiment-id", "x-mlflow-run-id"),
]
NAMES = st.sampled_from([*FORBIDDEN, "host", "x-forwarded-for", "x-forwarded-proto", "x-request-id", "accept"])
NAMES |= st.from_regex(r"[a-z][a-z0-9-]{0,20}", fullmatch=True)


def outbound(received: dict[str, str], route: object = METADATA, address: str | None = "192.0.2.7") -> dict[str, str]:
    caller = HttpHeaders({f"HTTP_{name.upper().replace('-', '_')}": value for name, value in received.items()})
    return headers.outbound(caller, route, host="mlflow:5000", address=address, scheme="https", request_id="r-1")  # type: ignore[arg-type]


@settings(max_examples=400, deadline=None)
@given(st.dictionaries(NAMES, st.just("planted")))
def test_outbound_any_caller_crosses_by_the_allow_list_alone(received: dict[str, str]) -> None:
    planted = {name for name, value in outbound(received).items() if value == "planted"}
    assert planted <= set(headers.REQUEST_ALLOWED)


@settings(max_examples=400, deadline=None)
@given(st.dictionaries(NAMES, st.just("planted")))
def test_outbound_any_caller_gets_our_words(received: dict[str, str]) -> None:
    sent = outbound(received)
    assert {name: sent[name] for name in OURS} == OURS
    assert sent[headers.HOP_HEADER] == "1"


@pytest.mark.parametrize("name", FORBIDDEN)
def test_outbound_forbidden_header_is_left_out(name: str) -> None:
    assert "planted" not in outbound({name: "planted"}).values()


@pytest.mark.parametrize("name", headers.REQUEST_ALLOWED)
def test_outbound_allowed_header_crosses_unchanged(name: str) -> None:
    assert outbound({name: "as sent"})[name] == "as sent"


TRACED = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_outbound_trace_of_the_caller_goes_on() -> None:
    assert outbound({"traceparent": TRACED})["Traceparent"] == TRACED


@pytest.mark.parametrize("value", ["", "planted", TRACED.upper(), f"{TRACED}-more", f" {TRACED}", TRACED[:-1]])
def test_outbound_trace_of_another_shape_is_left_out(value: str) -> None:
    assert "Traceparent" not in outbound({"traceparent": value})


def test_outbound_names_are_unique_whatever_their_case() -> None:
    sent = outbound(dict.fromkeys([*FORBIDDEN, "host", "x-request-id", "x-forwarded-for"], "planted"))
    assert len({name.lower() for name in sent}) == len(sent)


def test_outbound_accept_encoding_is_identity_when_the_caller_is_silent() -> None:
    assert outbound({})["Accept-Encoding"] == "identity"


def test_outbound_unknown_address_is_still_said() -> None:
    assert outbound({}, address=None)["X-Forwarded-For"] == "unknown"


@pytest.mark.parametrize("name", headers.OTLP_PARAMETERS)
def test_outbound_otlp_parameter_crosses_on_the_stream_route(name: str) -> None:
    assert outbound({name: "7"}, STREAM)[name] == "7"


@pytest.mark.parametrize("name", headers.OTLP_PARAMETERS)
def test_outbound_otlp_parameter_is_left_out_elsewhere(name: str) -> None:
    assert name not in outbound({name: "7"}, METADATA)


@pytest.mark.parametrize(
    "name",
    [
        *("Set-Cookie", "Location", "Server", "Date", "Connection", "Transfer-Encoding", "Keep-Alive", "Trailer"),
        *("Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Content-Security-Policy"),
        *("X-Frame-Options", "Strict-Transport-Security", "X-Powered-By", "WWW-Authenticate", "X-MLflow-Anything"),
    ],
)
def test_inbound_header_outside_the_allow_list_is_left_out(name: str) -> None:
    assert name not in headers.inbound([(name, "planted"), (name.lower(), "planted")], METADATA)


@pytest.mark.parametrize("name", headers.REPLY_ALLOWED)
def test_inbound_allowed_header_crosses_whatever_its_case(name: str) -> None:
    assert headers.inbound([(name.upper(), "as sent")], METADATA)[name] == "as sent"


@pytest.mark.parametrize("name", headers.HARDENING)
def test_inbound_hardening_wins_over_the_upstream(name: str) -> None:
    assert headers.inbound([(name, "public, max-age=9")], METADATA)[name] == headers.HARDENING[name]


@pytest.mark.parametrize("value", ["a\r\nSet-Cookie: b", "a\nb", "a\rb", "a\x00b", "a\r\n folded", "a\x7f", "a\x1b"])
def test_inbound_value_that_could_split_the_reply_is_garbled(value: str) -> None:
    with pytest.raises(UpstreamGarbledError):
        headers.inbound([("Content-Disposition", value)], METADATA)


@pytest.mark.parametrize("value", ["attachment; filename*=UTF-8''%C3%BC", 'a; b="c"', "a\tb", "\xfc", ""])
def test_inbound_lawful_value_crosses_unchanged(value: str) -> None:
    assert headers.inbound([("Content-Disposition", value)], METADATA)["Content-Disposition"] == value


@settings(max_examples=400, deadline=None)
@given(st.text(st.characters(max_codepoint=255)))
def test_inbound_any_value_crosses_without_line_break_or_not_at_all(value: str) -> None:
    try:
        told = headers.inbound([("ETag", value)], METADATA)
    except UpstreamGarbledError:
        return
    assert not set("\r\n\x00") & set(told["ETag"])
