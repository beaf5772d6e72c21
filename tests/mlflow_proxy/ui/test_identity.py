"""One identity for each request: a key in the headers, or a session below /mlflow/, and never both."""

import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.db import OperationalError

from mlflow_proxy.ui import doors
from tests.mlflow_proxy.stub import Stub
from tests.mlflow_proxy.ui.conftest import Browser, whole

EXPERIMENTS = "ajax-api/2.0/mlflow/experiments/search?max_results=1"
SHELL = ["/mlflow/", "/mlflow/static-files/static/js/main.0123abcd.js", "/mlflow/graphql"]


def test_session_travels_no_further_than_the_portal(mlflow: Stub, editor: Browser) -> None:
    editor.cookies["other"] = "planted"
    whole(editor.fetch("POST", "/mlflow/ajax-api/2.0/mlflow/experiments/create", b'{"name":"x"}'))
    (seen,) = mlflow.seen
    assert [seen.header(name) for name in ("Cookie", "Origin", "Authorization", "Referer", "Sec-Fetch-Site")] == 5 * [
        None
    ]
    assert b"planted" not in seen.head


@pytest.mark.parametrize("mount", ["/api/mlflow/", "/"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_session_never_serves_the_api(mlflow: Stub, editor: Browser, mount: str, method: str) -> None:
    path = f"{mount}{EXPERIMENTS}".replace("/ajax-api", "/api") if mount == "/" else f"{mount}{EXPERIMENTS}"
    reply = editor.fetch(method, path)
    assert (reply.status_code, reply.json()["error_code"]) == (401, "UNAUTHENTICATED")
    assert mlflow.connections == 0


@pytest.mark.parametrize("header", ["Authorization", "X-Api-Key"])
def test_bad_key_beside_a_good_session_is_401(mlflow: Stub, editor: Browser, header: str) -> None:
    value = {"Authorization": "Bearer hk_live_…".encode().decode("latin-1"), "X-Api-Key": "hk_live_"}[header]
    reply = editor.generic("GET", f"/mlflow/{EXPERIMENTS}", headers={header: value})
    assert (reply.status_code, reply.json()["reason"]) == (401, "UNAUTHENTICATED")
    assert mlflow.connections == 0


def test_good_key_beside_a_session_acts_as_the_key(mlflow: Stub, nobody: Browser, reader: Any, bearer: Any) -> None:
    reply = nobody.generic("GET", f"/mlflow/{EXPERIMENTS}", headers=bearer(reader))
    assert reply.status_code == 200
    whole(reply)


@pytest.mark.parametrize("path", SHELL)
def test_page_of_the_interface_is_404_for_a_key(mlflow: Stub, portal: Any, issue: Any, bearer: Any, path: str) -> None:
    key = issue(words=("mlflow:write", "mlflow:admin", "model:write", "artifact:write"))
    for method in ("GET", "POST"):
        reply = portal.generic(method, path, b"{}", headers=bearer(key) | {"Accept": "text/html"})
        assert (reply.status_code, reply.json()["reason"]) == (404, "ROUTE_UNKNOWN")
    assert mlflow.connections == 0


def test_ended_session_of_a_script_is_401_in_mlflows_shape(mlflow: Stub, viewer: Browser) -> None:
    viewer.session.flush()
    reply = viewer.fetch("GET", f"/mlflow/{EXPERIMENTS}")
    assert reply.status_code == 401
    assert {"error_code": "UNAUTHENTICATED", "reason": "SESSION_MISSING"}.items() <= reply.json().items()
    assert reply["WWW-Authenticate"] == "Bearer"
    assert mlflow.connections == 0


def test_ended_session_of_a_person_leads_to_sign_in_and_back(mlflow: Stub, viewer: Browser) -> None:
    viewer.session.flush()
    reply = viewer.open("/mlflow/?a=1&b=2")
    assert (reply.status_code, reply["Location"]) == (302, "/sign-in?next=/mlflow/%3Fa%3D1%26b%3D2")
    assert "no-store" in reply["Cache-Control"]


@pytest.mark.parametrize("change", [{"is_active": False}, {"is_staff": False}])
def test_account_that_is_no_more_of_staff_is_refused_at_once(mlflow: Stub, viewer: Browser, change: Any) -> None:
    User.objects.filter(username="viewer").update(**change)
    assert viewer.fetch("GET", f"/mlflow/{EXPERIMENTS}").status_code in {401, 403}
    assert mlflow.connections == 0


def test_client_without_key_and_session_is_told_where_a_key_belongs(mlflow: Stub, portal: Any, db: None) -> None:
    reply = portal.get(f"/mlflow/{EXPERIMENTS}")
    assert reply.status_code == 401
    assert "Authorization: Bearer" in reply.json()["message"]


@pytest.mark.parametrize("path", ["/api/mlflow", "/api/mlflow/"])
def test_printed_link_leads_to_the_interface(mlflow: Stub, stranger_browser: Browser, path: str) -> None:
    reply = stranger_browser.open(path)
    assert (reply.status_code, reply["Location"]) == (302, "/mlflow/")


def test_interface_without_its_slash_gets_it(mlflow: Stub, viewer: Browser) -> None:
    reply = viewer.open("/mlflow")
    assert (reply.status_code, reply["Location"]) == (302, "/mlflow/")


@pytest.mark.parametrize("path", ["/mlflow/nowhere", "/mlflow/build/static/js/main.js", "/mlflow/signup"])
def test_unknown_page_is_a_404_page(mlflow: Stub, viewer: Browser, path: str) -> None:
    reply = viewer.open(path)
    assert (reply.status_code, reply["Content-Type"]) == (404, "text/html; charset=utf-8")
    assert mlflow.connections == 0


def test_refused_page_advises_no_client(mlflow: Stub, viewer: Browser) -> None:
    sentence = viewer.fetch("GET", "/mlflow/ajax-api/3.0/mlflow/assistant/config").json()["message"]
    assert sentence == "This part of MLflow is not open here."


def test_gateway_is_an_empty_one_that_mlflow_never_hears_of(mlflow: Stub, editor: Browser) -> None:
    reply = editor.fetch("GET", "/mlflow/ajax-api/2.0/mlflow/gateway-proxy?gateway_path=api/2.0/endpoints/")
    assert reply.json() == {"endpoints": []}
    assert editor.fetch("POST", "/mlflow/ajax-api/2.0/mlflow/gateway-proxy", b"{}").status_code == 404
    assert mlflow.connections == 0


def test_failing_mlflow_is_a_page_for_a_person(mlflow: Stub, viewer: Browser) -> None:
    mlflow.stop()
    reply = viewer.open("/mlflow/")
    assert (reply.status_code, reply["Content-Type"]) == (503, "text/html; charset=utf-8")
    assert "MLflow cannot be reached" in reply.content.decode()


@pytest.mark.parametrize(("asked", "sent"), [("team-a", "team-a"), (None, None)])
def test_workspace_that_a_person_chooses_is_passed_on(
    mlflow: Stub, viewer: Browser, settings: Any, asked: str | None, sent: str | None
) -> None:
    settings.HOKUSAI_WORKSPACES = True
    whole(viewer.fetch("GET", f"/mlflow/{EXPERIMENTS}", X_MLFLOW_WORKSPACE=asked))
    assert mlflow.seen[0].header("X-MLFLOW-WORKSPACE") == sent


def test_workspace_is_not_passed_on_to_an_mlflow_without(mlflow: Stub, viewer: Browser) -> None:
    whole(viewer.fetch("GET", f"/mlflow/{EXPERIMENTS}", X_MLFLOW_WORKSPACE="team-a"))
    assert mlflow.seen[0].header("X-MLFLOW-WORKSPACE") is None


@pytest.mark.parametrize("asked", ["A", "a b", "../x", "a" * 64, ""])
def test_workspace_by_no_name_is_400(mlflow: Stub, viewer: Browser, settings: Any, asked: str) -> None:
    settings.HOKUSAI_WORKSPACES = True
    reply = viewer.fetch("GET", f"/mlflow/{EXPERIMENTS}", X_MLFLOW_WORKSPACE=asked)
    assert (reply.status_code, reply.json()["reason"]) == (400, "AMBIGUOUS_HEADER")


def test_change_is_logged_with_who_made_it(mlflow: Stub, editor: Browser, log_output: Any) -> None:
    whole(editor.fetch("DELETE", "/mlflow/ajax-api/2.0/mlflow/registered-models/delete", b'{"name":"m"}'))
    (event,) = log_output.events("mlflow_changed")
    assert (event["staff"], event["status"]) == ("editor", 200)
    assert event["operation"] == "DELETE 2.0/mlflow/registered-models/delete"


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "ajax-api/2.0/mlflow/runs/search"), ("GET", "ajax-api/3.0/mlflow/server-info")]
)
def test_read_is_no_change(mlflow: Stub, editor: Browser, log_output: Any, method: str, path: str) -> None:
    whole(editor.fetch(method, f"/mlflow/{path}", b"{}" if method == "POST" else None))
    assert log_output.events("mlflow_changed") == []


@pytest.mark.parametrize(("who", "word"), [("viewer", "READ"), ("editor", "MANAGE")])
def test_interface_is_told_what_the_account_may_do(
    mlflow: Stub, viewer: Browser, editor: Browser, who: str, word: str
) -> None:
    browser = {"viewer": viewer, "editor": editor}[who]
    told = browser.fetch("GET", "/mlflow/ajax-api/3.0/mlflow/users/current/permissions").json()
    assert {row["permission"] for row in told["permissions"]} == {word}
    assert {row["workspace"] for row in told["permissions"]} == {"default"}
    assert told["is_admin"] is False
    assert mlflow.connections == 0


def test_current_user_is_the_signed_in_account(mlflow: Stub, viewer: Browser) -> None:
    reply = viewer.fetch("GET", "/mlflow/ajax-api/2.0/mlflow/users/current")
    number = User.objects.get(username="viewer").pk
    assert json.loads(reply.content) == {
        "user": {"id": number, "username": "viewer", "is_admin": False},
        "is_basic_auth": False,
    }
    assert "no-store" in reply["Cache-Control"]
    assert mlflow.connections == 0


def test_account_has_no_roles_of_mlflows(mlflow: Stub, viewer: Browser) -> None:
    assert viewer.fetch("GET", "/mlflow/ajax-api/3.0/mlflow/users/roles/list?username=viewer").json() == {"roles": []}


def test_management_of_accounts_is_unknown(mlflow: Stub, editor: Browser) -> None:
    for path in ("2.0/mlflow/users/list", "2.0/mlflow/users/create", "3.0/mlflow/roles/list"):
        assert editor.fetch("GET", f"/mlflow/ajax-api/{path}").status_code == 404


def test_door_of_the_api_is_open_to_keys_alone() -> None:
    assert doors.open_api.csrf_exempt
    assert doors.open_ui.csrf_exempt


def test_database_that_is_gone_is_503_and_no_ended_session(
    mlflow: Stub, viewer: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(self: Any) -> None:
        raise OperationalError("planted address")

    monkeypatch.setattr(SessionStore, "load", gone)
    reply = viewer.fetch("GET", f"/mlflow/{EXPERIMENTS}")
    assert (reply.status_code, reply.json()["reason"]) == (503, "DATABASE_UNAVAILABLE")
    assert b"planted" not in reply.content
    assert mlflow.connections == 0
