"""The proxy view inside this process: what it asks of the database, and how it maps what goes wrong."""

import json
from typing import Any

import pytest
from django.db import DatabaseError, OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_httpserver import HTTPServer

from apikeys import actions, sunsets
from mlflow_proxy import views
from mlflow_proxy.bodies import RequestBody
from tests.mlflow_proxy.wire import CREATE, SEARCH, M

PATH = SEARCH.partition("?")[0].removeprefix("/api")


@pytest.fixture
def mlflow(httpserver: HTTPServer, settings: Any) -> HTTPServer:
    settings.MLFLOW_SERVER_URL = httpserver.url_for("").rstrip("/")
    httpserver.expect_request(PATH).respond_with_json({"experiments": []})
    return httpserver


def test_hot_path_is_one_query_and_no_write(
    mlflow: HTTPServer, portal: Client, reader: Any, bearer: Any, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(1) as captured:
        reply = portal.get(SEARCH, headers=bearer(reader))
        assert reply.json() == {"experiments": []}
    assert captured.captured_queries[0]["sql"].startswith("SELECT")


@pytest.fixture
def ending(issue: Any) -> Any:
    """A reader's key in its last days."""
    return issue(expires_in_days=7)


def test_key_of_the_last_days_is_told_its_end_on_success(
    mlflow: HTTPServer, portal: Client, ending: Any, bearer: Any, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(1):
        reply = portal.get(SEARCH, headers=bearer(ending))
        assert reply.json() == {"experiments": []}
    assert reply["X-Hokusai-Key-Expires"] == ending.row.expires_at.replace(microsecond=0).isoformat()
    assert "Sunset" in reply


@pytest.mark.parametrize(
    ("target", "status"), [(f"{M}/api/2.0/mlflow/no-such", 404), (f"{M}/api/2.0//mlflow", 400), (CREATE, 403)]
)
def test_key_of_the_last_days_is_told_its_end_on_a_refusal(
    mlflow: HTTPServer, portal: Client, ending: Any, bearer: Any, target: str, status: int
) -> None:
    reply = portal.post(target, {}, content_type="application/json", headers=bearer(ending))
    assert (reply.status_code, "X-Hokusai-Key-Expires" in reply) == (status, True)


def test_key_in_grace_is_told_since_when(
    mlflow: HTTPServer, portal: Client, reader: Any, bearer: Any, actor: actions.Actor
) -> None:
    successor = actions.rotate_key(key=reader.row, actor=actor).row
    reply = portal.get(SEARCH, headers=bearer(reader))
    assert reply["Deprecation"] == f"@{int(successor.created_at.timestamp())}"


def test_end_of_a_key_is_not_for_mlflow_to_tell(
    httpserver: HTTPServer, settings: Any, portal: Client, reader: Any, bearer: Any
) -> None:
    settings.MLFLOW_SERVER_URL = httpserver.url_for("").rstrip("/")
    httpserver.expect_request(PATH).respond_with_json({}, headers=dict.fromkeys(sunsets.NAMES, "forged"))
    reply = portal.get(SEARCH, headers=bearer(reader))
    assert [name for name in sunsets.NAMES if name in reply] == []


def test_database_is_let_go_before_a_body_is_read(
    mlflow: HTTPServer, portal: Client, reader: Any, bearer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []

    def read(body: RequestBody, size: int) -> bytes:
        steps.append("read")
        return b"{}"

    monkeypatch.setattr(views, "close_old_connections", lambda: steps.append("let go"))
    monkeypatch.setattr(RequestBody, "_read", read)
    reply = portal.post(SEARCH.partition("?")[0], b"{}", content_type="application/json", headers=bearer(reader))
    assert (reply.status_code, steps) == (200, ["let go", "read"])


def test_bad_checksum_asks_no_query(portal: Client, db: None) -> None:
    with CaptureQueriesContext(connection) as captured:
        assert portal.get(SEARCH, headers={"Authorization": f"Bearer hk_live_{'a' * 52}"}).status_code == 401
    assert len(captured) == 0


def test_upstream_gets_no_call_before_the_key_is_verified(mlflow: HTTPServer, portal: Client, db: None) -> None:
    assert portal.get(SEARCH).status_code == 401
    assert mlflow.log == []


@pytest.mark.parametrize("error", [DatabaseError, OperationalError])
def test_database_that_is_gone_is_503_and_not_401(
    portal: Client, reader: Any, bearer: Any, error: type[Exception]
) -> None:
    def gone(*execution: object) -> None:
        raise error("planted address")

    with connection.execute_wrapper(gone):
        reply = portal.get(SEARCH, headers=bearer(reader))
    assert (reply.status_code, reply.json()["reason"]) == (503, "DATABASE_UNAVAILABLE")
    assert reply["Retry-After"] == "2"
    assert b"planted" not in reply.content


def test_bug_in_the_portal_is_500_json_without_its_words(
    portal: Client, reader: Any, bearer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: object, **kwargs: object) -> None:
        raise RuntimeError("planted detail")

    monkeypatch.setattr(views.routes, "find", broken)
    reply = portal.get(SEARCH, headers=bearer(reader))
    assert (reply.status_code, reply.json()["error_code"]) == (500, "INTERNAL_ERROR")
    assert b"planted" not in reply.content


def test_server_without_raw_target_is_refused_not_guessed(portal: Client, reader: Any, bearer: Any) -> None:
    reply = portal.get(SEARCH, headers=bearer(reader), RAW_URI="", REQUEST_URI="")
    assert (reply.status_code, reply.json()["error_code"]) == (500, "INTERNAL_ERROR")


def test_error_reply_carries_the_request_id_of_its_header(portal: Client, db: None) -> None:
    reply = portal.get(SEARCH)
    assert json.loads(reply.content)["request_id"] == reply["X-Request-ID"] != ""
