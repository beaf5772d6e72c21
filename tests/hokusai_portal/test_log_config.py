"""Logs: one JSON line an event with who and which request, and nothing of a key wherever a caller puts one."""

import base64
import json
import logging
from urllib.parse import quote

import pytest
import structlog
from django.apps import apps
from hypothesis import given
from hypothesis import strategies as st

from apikeys import actions, keys, usage
from hokusai_portal.log_config import redact
from mlflow_proxy import routes

SEARCH = "/api/mlflow/api/2.0/mlflow/experiments/search"
CREATE = "/api/mlflow/api/2.0/mlflow/runs/create"
VALIDATE = "/api/v1/keys/validate"


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def traces(key):
    """What must be nowhere: the secret part of a key, and its base64 form at each of the three alignments."""
    secret = key[20:54]
    return [secret, *(base64.b64encode(b" " * shift + secret.encode()).decode()[4:-4] for shift in range(3))]


def database():
    return str([list(model.objects.values_list()) for model in apps.get_models()])


def assert_no_trace(key, log_output):
    usage.flush()
    for place in (str(log_output.lines), database()):
        assert not [trace for trace in traces(key) if trace in place]


def test_line_carries_request_service_and_public_key_id(portal, mlflow, stranger, bearer, log_output):
    response = portal.get(SEARCH, headers=bearer(stranger))
    (line,) = log_output.events("request_finished")
    assert line["request_id"] == response["X-Request-ID"]
    assert (line["service"], line["api_key"]) == ("batch", stranger.row.public_id)
    assert (line["code"], line["request"], line["level"]) == (200, f"GET {SEARCH}", "info")


def test_line_of_the_next_request_knows_nothing_of_the_last(portal, mlflow, reader, bearer, log_output):
    portal.get(SEARCH, headers=bearer(reader))
    portal.get("/health")
    assert "api_key" not in log_output.events("request_finished")[-1]


def test_line_of_the_standard_library_is_json_too(log_output):
    logging.getLogger("boto3").warning("disk %s is %d %% full", "a", 91)
    (line,) = log_output.lines
    assert (line["event"], line["logger"], line["level"]) == ("disk a is 91 % full", "boto3", "warning")
    assert line["timestamp"].endswith("Z")


def test_line_of_an_exception_is_one_line(log_output):
    try:
        raise RuntimeError("first\nsecond")
    except RuntimeError:
        structlog.get_logger("apikeys").exception("it_failed")
    (line,) = log_output.lines
    assert "RuntimeError: first" in line["exception"]


def test_line_never_breaks_at_a_line_feed_of_the_caller(portal, reader, bearer, log_output):
    portal.get(f"{SEARCH}%0d%0aforged", headers={**bearer(reader), "User-Agent": "a\tb"})
    assert all(json.loads(line) for line in log_output.getvalue().splitlines())


def test_unhandled_failure_is_logged_with_its_trace_and_not_shown(portal, reader, bearer, monkeypatch, log_output):
    def fail(*args):
        raise RuntimeError("inner words")

    monkeypatch.setattr(routes, "find", fail)
    response = portal.get(SEARCH, headers=bearer(reader))
    assert response.status_code == 500
    assert "inner words" not in response.content.decode()
    assert "inner words" in log_output.events("request_failed")[0]["exception"]


@given(st.sampled_from(keys.ENVIRONMENTS).map(keys.mint), st.text(max_size=20), st.text(max_size=20))
def test_redact_any_surroundings_keep_the_id_and_lose_the_secret(key, before, after):
    text = redact(f"{before} {key.text} {after}")
    assert key.public_id in text
    assert key.text[20:54] not in text


@given(st.sampled_from(keys.ENVIRONMENTS).map(keys.mint), st.integers(1, 39))
def test_redact_cut_key_loses_what_is_left_of_the_secret(key, length):
    cut = key.text[: len(key.public_id) + length]
    assert redact(f"{cut} ") == f"{key.public_id}… "


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("?X-Amz-Signature=0123abc&x=1", "?X-Amz-Signature=…&x=1"),
        ("?x-amz-security-token=a%2Fb", "?x-amz-security-token=…"),
        ("?X-Amz-Credential%3DAKIA/2026", "?X-Amz-Credential%3D…"),
        ("?api_key=hunter2hunter2&y=2", "?api_key=…&y=2"),
        ("Authorization: Bearer abcdefgh.ijkl", "Authorization: Bearer …"),
        ("basic QWxhZGRpbjpvcGVu", "basic …"),
        ("postgres://portal:s3cret@db/portal", "postgres://portal:…@db/portal"),
    ],
)
def test_redact_other_credentials_are_cut(text, expected):
    assert redact(text) == expected


def test_redact_password_that_decoding_a_key_brings_to_light_is_cut():
    hidden = quote(f"https://user:s3cretpw@host/{keys.mint('live').text}", safe="")
    assert "s3cretpw" not in redact(hidden.replace("_", "%5F"))


@pytest.mark.parametrize("word", ["Bas\u0131c", "BAS\u0130C", "AP\u0130KEY", "BA\u017fIC"])
def test_redact_word_in_letters_that_pass_for_ascii_is_known(word):
    assert "s3cretpw" not in redact(f"{word} s3cretpw")


@pytest.mark.parametrize(
    "text", ["bearer of news", "hk_live_short", "http://host:5000/path", "apikeys.models", "a@b.c"]
)
def test_redact_ordinary_text_is_left_alone(text):
    assert redact(text) == text


@pytest.fixture
def canary(issue, platform):
    """A key that works, to be put where keys do not belong."""
    return issue(name="canary")


HEADERS = {
    "bearer": lambda key: {"Authorization": f"Bearer {key}"},
    "lower-case bearer": lambda key: {"Authorization": f"bearer {key}"},
    "apikey": lambda key: {"Authorization": f"ApiKey {key}"},
    "x-api-key": lambda key: {"X-API-Key": key},
    "basic": lambda key: {"Authorization": basic("platform", key)},
    "basic as user": lambda key: {"Authorization": basic(key, "")},
    "basic of another service": lambda key: {"Authorization": basic("batch", key)},
    "broken basic": lambda key: {"Authorization": basic("platform", key) + "!"},
    "unknown scheme": lambda key: {"Authorization": f"Token {key}"},
    "no scheme": lambda key: {"Authorization": key},
    "mistyped": lambda key: {"Authorization": f"Bearer {key}x"},
    "two differing": lambda key: {"Authorization": f"Bearer {key}", "X-API-Key": "other"},
    "user agent": lambda key: {"Authorization": f"Bearer {key}", "User-Agent": f"curl {key}"},
    "long user agent": lambda key: {"Authorization": f"Bearer {key}", "User-Agent": "x" * 170 + key},
    "basic in user agent": lambda key: {"Authorization": f"Bearer {key}", "User-Agent": basic("platform", key)},
    "referer": lambda key: {"Authorization": f"Bearer {key}", "Referer": f"https://a.example/?k={key}"},
    "request id": lambda key: {"Authorization": f"Bearer {key}", "X-Request-ID": key, "X-Correlation-ID": key},
    "forwarded": lambda key: {"Authorization": f"Bearer {key}", "X-Forwarded-For": key, "Forwarded": key},
    "cookie": lambda key: {"Cookie": f"sessionid={key}; csrftoken={key}"},
    "origin": lambda key: {"Authorization": f"Bearer {key}", "Origin": f"https://{key}"},
    "content type": lambda key: {"Authorization": f"Bearer {key}", "Content-Type": key},
    "host": lambda key: {"Authorization": f"Bearer {key}", "Host": key},
}


@pytest.mark.parametrize("carry", HEADERS.values(), ids=HEADERS)
def test_canary_key_in_a_header_is_in_no_log_and_no_row(portal, mlflow, canary, log_output, carry):
    for path in (SEARCH, "/ready", "/admin/", "/nowhere"):
        portal.get(path, headers=carry(canary.secret.text))
    assert log_output.events("request_finished")
    assert_no_trace(canary.secret.text, log_output)


@pytest.mark.parametrize("carry", list(HEADERS.values())[:8], ids=list(HEADERS)[:8])
def test_canary_key_revoked_is_in_no_log_and_no_row(portal, canary, actor, log_output, carry):
    actions.revoke_key(key=canary.row, reason="lost", actor=actor)
    assert portal.get(SEARCH, headers=carry(canary.secret.text)).status_code == 401
    assert log_output.events("credential_refused")
    assert_no_trace(canary.secret.text, log_output)


TARGETS = {
    "api_key in query": lambda key: f"{SEARCH}?api_key={key}",
    "another name in query": lambda key: f"{SEARCH}?filter={key}",
    "encoded in query": lambda key: f"{SEARCH}?filter=" + key.replace("_", "%5F"),
    "encoded to the last character": lambda key: f"{SEARCH}?filter=" + "".join(f"%{ord(letter):02x}" for letter in key),
    "name of a query field": lambda key: f"{SEARCH}?{key}=1",
    "basic in query": lambda key: f"{SEARCH}?header={quote(basic('platform', key))}",
    "path below the mount": lambda key: f"/api/mlflow/{key}",
    "artifact path": lambda key: f"/api/mlflow/api/2.0/mlflow-artifacts/artifacts/1/{key}",
    "encoded path": lambda key: "/api/mlflow/" + key.replace("_", "%5F"),
    "path outside": lambda key: f"/{key}",
    "path of the admin": lambda key: f"/admin/{key}/",
    "health query": lambda key: f"/health?token={key}",
}


@pytest.mark.parametrize("carry", TARGETS.values(), ids=TARGETS)
def test_canary_key_in_the_target_is_in_no_log_and_no_row(portal, mlflow, canary, reader, bearer, log_output, carry):
    for headers in ({}, bearer(reader)):
        portal.get(carry(canary.secret.text), headers=headers)
    assert log_output.events("request_finished")
    assert_no_trace(canary.secret.text, log_output)


BODIES = {
    "run name": (CREATE, lambda key: {"run_name": key}),
    "key in question": (VALIDATE, lambda key: {"api_key": key}),
    "mistyped key in question": (VALIDATE, lambda key: {"api_key": key + "x"}),
    "service id": (VALIDATE, lambda key: {"service_id": key}),
    "field name": (VALIDATE, lambda key: {key: key}),
}


@pytest.mark.parametrize(("path", "carry"), BODIES.values(), ids=BODIES)
@pytest.mark.parametrize("status", [200, 400, 500])
def test_canary_key_in_the_body_is_in_no_log_and_no_row(
    portal, upstream, canary, writer, bearer, log_output, path, carry, status
):
    body = json.dumps(carry(canary.secret.text))
    upstream.expect_request("/mlflow/api/2.0/mlflow/runs/create").respond_with_data(f"echo {body}", status=status)
    portal.post(path, body, content_type="application/json", headers=bearer(writer))
    portal.post(path, body[:-1], content_type="application/json", headers=bearer(writer))
    assert log_output.events("request_finished")
    assert_no_trace(canary.secret.text, log_output)


def test_canary_key_in_an_upload_that_mlflow_fails_on_is_in_no_log(
    portal, upstream, canary, writer, bearer, log_output
):
    path = "/api/2.0/mlflow-artifacts/artifacts/1/run/artifacts/model.pkl"
    upstream.expect_request(path).respond_with_json({"message": f"cannot store {canary.secret.text}"}, status=500)
    response = portal.put(f"/api/mlflow{path}", "bytes", headers=bearer(writer))
    assert response.status_code == 500
    assert_no_trace(canary.secret.text, log_output)


def test_canary_key_in_an_exception_is_in_no_log(portal, canary, bearer, monkeypatch, log_output):
    def fail(*args):
        raise RuntimeError(f"cannot read {canary.secret.text}")

    monkeypatch.setattr(routes, "find", fail)
    assert portal.get(SEARCH, headers=bearer(canary)).status_code == 500
    assert log_output.events("request_failed")
    assert_no_trace(canary.secret.text, log_output)


def test_canary_key_with_mlflow_down_is_in_no_log_and_no_row(portal, canary, bearer, mlflow_down, log_output):
    assert portal.get(SEARCH, headers=bearer(canary)).status_code == 503
    assert_no_trace(canary.secret.text, log_output)


def test_canary_key_never_reaches_mlflow(portal, mlflow, canary, log_output):
    # What a caller says of itself and of its body is passed on; credentials and everything else are not.
    for name in HEADERS.keys() - {"user agent", "long user agent", "basic in user agent", "content type"}:
        portal.get(SEARCH, headers=HEADERS[name](canary.secret.text))
    assert mlflow.log
    for request, _ in mlflow.log:
        assert not [trace for trace in traces(canary.secret.text) if trace in f"{request.url} {request.headers}"]
