"""Rights in the interface: every row of both tables, for whoever may look, change, or neither."""

from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User

from apikeys import scopes
from mlflow_proxy.artifacts import protocol
from mlflow_proxy.routes import ROUTES, Route
from mlflow_proxy.ui import rights
from mlflow_proxy.ui import routes as ui_routes
from tests.mlflow_proxy.refusals import body_of, path_of, row_id
from tests.mlflow_proxy.stub import Stub
from tests.mlflow_proxy.ui.conftest import EDIT, VIEW, Browser, whole

# The interface's own rows go first: for a person they decide on the list of workspaces, too.
OWN = {(row.method, row.template) for row in ui_routes.ROUTES}
API = [row for row in ROUTES if (row.method, row.template) not in OWN]
WRITES = [row for row in API if row.scope and not row.scope.endswith(":read")]
READS = [row for row in API if row not in WRITES]
BEYOND = [row for row in WRITES if row.scope == "mlflow:admin"]


@pytest.fixture(autouse=True)
def _with_workspaces(settings: Any) -> None:
    settings.HOKUSAI_WORKSPACES = True


def ask(browser: Browser, row: Route) -> Any:
    kind: str | None = "application/x-protobuf" if row.traffic == "stream" else "application/json"
    changes = {"Content_Type": kind} if row.method not in {"GET", "HEAD"} else {}
    return browser.fetch(row.method, f"/mlflow/{path_of(row).lstrip('/')}", body_of(row), **changes)


def assert_refused(reply: Any, mlflow: Stub, status: int, reason: str) -> None:
    assert (reply.status_code, reply.json()["reason"]) == (status, reason)
    assert mlflow.connections == 0


def test_tables_are_all_of_what_is_walked() -> None:
    assert len(WRITES) > 100
    assert len(READS) > 80
    assert {row.scope for row in BEYOND} == {"mlflow:admin"}


@pytest.mark.parametrize("row", WRITES, ids=row_id)
def test_write_by_a_viewer_is_403(mlflow: Stub, viewer: Browser, row: Route) -> None:
    assert_refused(ask(viewer, row), mlflow, 403, "UI_PERMISSION_MISSING")


@pytest.mark.parametrize("row", BEYOND, ids=row_id)
def test_management_of_workspaces_by_an_editor_is_403(mlflow: Stub, editor: Browser, row: Route) -> None:
    assert_refused(ask(editor, row), mlflow, 403, "UI_PERMISSION_MISSING")


@pytest.mark.parametrize("row", [*API, *ui_routes.ROUTES], ids=row_id)
def test_anything_by_nobody_is_403(mlflow: Stub, nobody: Browser, row: Route) -> None:
    assert_refused(ask(nobody, row), mlflow, 403, "UI_PERMISSION_MISSING")


@pytest.mark.parametrize("row", [*API, *ui_routes.ROUTES], ids=row_id)
def test_anything_without_a_session_is_401(mlflow: Stub, stranger_browser: Browser, row: Route) -> None:
    assert_refused(ask(stranger_browser, row), mlflow, 401, "SESSION_MISSING")


@pytest.mark.parametrize("row", [row for row in READS if row.operation not in protocol.HANDOUTS], ids=row_id)
def test_read_by_a_viewer_arrives_once(mlflow: Stub, viewer: Browser, row: Route) -> None:
    reply = ask(viewer, row)
    assert (reply.status_code, len(mlflow.seen)) == (200, 1), whole(reply)
    whole(reply)


@pytest.mark.parametrize(
    "row", [row for row in WRITES if row not in BEYOND and row.operation not in protocol.HANDOUTS], ids=row_id
)
def test_write_by_an_editor_arrives_once(mlflow: Stub, editor: Browser, row: Route) -> None:
    reply = ask(editor, row)
    assert (reply.status_code, len(mlflow.seen)) == (200, 1), whole(reply)
    whole(reply)


@pytest.mark.parametrize("row", [*ROUTES, *ui_routes.ROUTES], ids=row_id)
def test_get_changes_nothing(row: Route) -> None:
    """A GET needs no origin: so no row may give it more than to read. The list of workspaces is admin's and a read."""
    is_read = row.scope is None or row.scope.endswith(":read") or row.resource == "workspace"
    assert row.method != "GET" or is_read


@pytest.mark.parametrize("row", ui_routes.ROUTES, ids=row_id)
def test_row_of_the_interface_asks_for_what_viewing_gives(row: Route) -> None:
    assert row.scope is not None
    assert scopes.grants(rights.SCOPES_TO_VIEW, row.scope)


@pytest.mark.parametrize(
    ("codenames", "more", "expected"),
    [
        ((), {}, ()),
        ((VIEW,), {}, rights.SCOPES_TO_VIEW),
        ((VIEW, EDIT), {}, rights.SCOPES_TO_VIEW + rights.SCOPES_TO_EDIT),
        ((EDIT,), {}, ()),
        ((VIEW, EDIT), {"is_staff": False}, ()),
        ((VIEW, EDIT), {"is_active": False}, ()),
        ((), {"is_superuser": True}, rights.SCOPES_TO_VIEW + rights.SCOPES_TO_EDIT),
    ],
)
def test_scopes_of_an_account(account: Any, codenames: Any, more: Any, expected: Any) -> None:
    assert rights.scopes_of(account(*codenames, **more)) == expected


def test_scopes_of_a_stranger_are_none() -> None:
    assert rights.scopes_of(AnonymousUser()) == ()


def test_scopes_to_edit_are_words_of_the_closed_list() -> None:
    assert set(rights.SCOPES_TO_VIEW + rights.SCOPES_TO_EDIT) <= scopes.ALL


def test_page_for_somebody_without_the_right_says_whom_to_ask(mlflow: Stub, nobody: Browser) -> None:
    reply = nobody.open("/mlflow/")
    assert (reply.status_code, reply["Content-Type"]) == (403, "text/html; charset=utf-8")
    text = reply.content.decode()
    assert "Ask an administrator" in text
    assert "nobody" in text
    assert reply["X-Request-ID"] in text
    assert mlflow.connections == 0


def test_right_that_is_taken_away_ends_with_the_next_call(mlflow: Stub, viewer: Browser) -> None:
    whole(viewer.fetch("GET", "/mlflow/version"))
    User.objects.get(username="viewer").user_permissions.clear()
    assert viewer.fetch("GET", "/mlflow/version").status_code == 403


def test_signed_address_is_for_no_account(mlflow: Stub, editor: Browser) -> None:
    reply = editor.fetch("GET", "/mlflow/ajax-api/2.0/mlflow-artifacts/presigned/0/run/artifacts/a.txt")
    assert (reply.status_code, reply.json()["reason"]) == (501, "PRESIGNED_OFF")
