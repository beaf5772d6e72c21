"""The proxy view inside this process: what it asks of the database, and how it maps what goes wrong."""

import json
from typing import Any

import pytest
from django.db import DatabaseError, OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_httpserver import HTTPServer

from mlflow_proxy import views
from mlflow_proxy.bodies import RequestBody
from tests.mlflow_proxy.wire import SEARCH

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
