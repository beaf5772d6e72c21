"""P0 28: a key acts in its service's workspaces, whatever header it sends; names carry the case."""

from collections.abc import Iterator

import pytest

from tests.mlflow_proxy.portal import Home, Portal, running
from tests.mlflow_proxy.refusals import refused
from tests.mlflow_proxy.stub import Stub
from tests.mlflow_proxy.wire import FILES, SEARCH, M, call, head, send_raw, status_of

HEADER = "X-MLFLOW-WORKSPACE"
SPELLINGS = [HEADER, "x-mlflow-workspace", "X-MLflow-Workspace", "x-MLFLOW-wOrKsPaCe"]


@pytest.fixture(scope="module")
def _portal(home: Home, _stub_for_the_session: Stub) -> Iterator[Portal]:
    for service in ("pinned", "roaming", "manager"):
        home.manage("create_service", service)
        home.issue(service, "--service", service, "--preset", "operator", "--scope", "mlflow:admin")
    with running(home, _stub_for_the_session.url, "workspaces", HOKUSAI_WORKSPACES="true") as portal:
        pin(home, "pinned", "team-a")
        pin(home, "roaming", "team-a", "team-b")
        yield portal


def pin(home: Home, service: str, *names: str) -> None:
    script = (
        "from apikeys import actions; from apikeys.models import Service;"
        f"actions.pin_service(service=Service.objects.get(service_id={service!r}), workspaces={list(names)!r},"
        "actor=actions.Actor(name='test'))"
    )
    home.manage("shell", "--no-imports", "--command", script)


@pytest.fixture
def spaced(_portal: Portal, upstream: Stub) -> Portal:
    """A portal in front of an MLflow with workspaces, and two services: one pinned, one of two workspaces."""
    return _portal


def workspaces_sent(upstream: Stub) -> list[str]:
    return upstream.seen[0].all_of(HEADER)


@pytest.mark.parametrize("name", SPELLINGS)
def test_p0_28_pinned_service_cannot_leave_by_any_spelling(spaced: Portal, upstream: Stub, name: str) -> None:
    assert call(spaced, "GET", SEARCH, who="pinned", headers={name: "team-b"}).status == 200
    assert workspaces_sent(upstream) == ["team-a"]


@pytest.mark.parametrize("values", [("team-b", "team-a"), ("team-a", "team-b"), ("team-b", "team-b"), ("", "team-b")])
def test_p0_28_pinned_service_cannot_leave_by_two_headers(
    spaced: Portal, upstream: Stub, values: tuple[str, str]
) -> None:
    lines = [f"{name}: {value}" for name, value in zip(SPELLINGS, values, strict=False)]
    assert status_of(send_raw(spaced, head(spaced, f"GET {SEARCH} HTTP/1.1", *lines, who="pinned"))) == 200
    assert workspaces_sent(upstream) == ["team-a"]


def test_p0_28_pinned_service_that_says_nothing_is_in_its_workspace(spaced: Portal, upstream: Stub) -> None:
    call(spaced, "GET", SEARCH, who="pinned")
    assert workspaces_sent(upstream) == ["team-a"]


def test_p0_28_underscore_header_does_not_pass_for_it(spaced: Portal, upstream: Stub) -> None:
    request = head(spaced, f"GET {SEARCH} HTTP/1.1", "X_MLFLOW_WORKSPACE: team-b", who="roaming")
    assert status_of(send_raw(spaced, request)) == 400
    assert upstream.connections == 0


@pytest.mark.parametrize(("asked", "sent"), [(None, "team-a"), ("team-a", "team-a"), ("team-b", "team-b")])
def test_p0_28_service_of_two_workspaces_chooses_from_them(
    spaced: Portal, upstream: Stub, asked: str | None, sent: str
) -> None:
    assert call(spaced, "GET", SEARCH, who="roaming", headers={HEADER: asked} if asked else {}).status == 200
    assert workspaces_sent(upstream) == [sent]


@pytest.mark.parametrize("asked", ["other", "default", "TEAM-A", "team-a,team-b", "team-a, team-b", ""])
def test_p0_28_service_of_two_workspaces_gets_no_other(spaced: Portal, upstream: Stub, asked: str) -> None:
    document = refused(
        spaced, upstream, "GET", SEARCH, 403, "WORKSPACE_REFUSED", who="roaming", headers={HEADER: asked}
    )
    assert document["error_code"] == "PERMISSION_DENIED"


def test_p0_28_two_headers_of_a_service_of_two_are_refused(spaced: Portal, upstream: Stub) -> None:
    request = head(spaced, f"GET {SEARCH} HTTP/1.1", f"{HEADER}: team-b", f"{HEADER}: team-a", who="roaming")
    assert status_of(send_raw(spaced, request)) == 403
    assert upstream.connections == 0


@pytest.mark.parametrize("asked", [None, "team-a"])
def test_p0_28_service_without_workspaces_acts_in_the_default_one(
    spaced: Portal, upstream: Stub, asked: str | None
) -> None:
    assert call(spaced, "GET", SEARCH, headers={HEADER: asked} if asked else {}).status == 200
    assert workspaces_sent(upstream) == []


@pytest.mark.parametrize("asked", [None, "team-a"])
def test_p0_28_header_is_never_sent_while_workspaces_are_off(served: Portal, upstream: Stub, asked: str | None) -> None:
    assert call(served, "GET", SEARCH, headers={HEADER: asked} if asked else {}).status == 200
    assert workspaces_sent(upstream) == []


@pytest.mark.parametrize("who", ["pinned", "roaming"])
@pytest.mark.usefixtures("_portal")
def test_pinned_service_is_refused_while_workspaces_are_off(served: Portal, upstream: Stub, who: str) -> None:
    refused(served, upstream, "GET", SEARCH, 403, "WORKSPACE_REFUSED", who=who)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
@pytest.mark.parametrize("name", ["team-b", "default", "%74eam-b", "TEAM-A", "team-a%20"])
def test_p0_22_artifact_path_of_another_workspace_is_refused(
    spaced: Portal, upstream: Stub, name: str, method: str
) -> None:
    target = f"{FILES}/workspaces/{name}/0/run/artifacts/a"
    refused(spaced, upstream, method, target, 400, who="pinned", body=None if method == "GET" else b"x")


@pytest.mark.parametrize("path", ["workspaces/team-b", "workspaces", "workspaces%2Fteam-b"])
def test_p0_22_listing_of_another_workspace_is_refused(spaced: Portal, upstream: Stub, path: str) -> None:
    refused(spaced, upstream, "GET", f"{FILES}?path={path}", 400, who="pinned")


def test_artifact_path_of_the_own_workspace_passes(spaced: Portal, upstream: Stub) -> None:
    target = f"{FILES}/workspaces/team-a/0/run/artifacts/a"
    assert call(spaced, "PUT", target, who="pinned", body=b"x").status == 200
    assert workspaces_sent(upstream) == ["team-a"]


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("POST", ""), ("PATCH", "/team-b"), ("DELETE", "/team-b")])
def test_workspace_routes_need_admin_which_no_preset_holds(
    spaced: Portal, upstream: Stub, method: str, path: str
) -> None:
    target = f"{M}/api/3.0/mlflow/workspaces{path}"
    document = refused(spaced, upstream, method, target, 403, "SCOPE_MISSING", body=None if method == "GET" else b"{}")
    assert document["required_scope"] == "mlflow:admin"


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("POST", ""), ("PATCH", "/team-b"), ("DELETE", "/team-b")])
def test_workspace_routes_with_admin_pass_for_a_service_that_is_not_pinned(
    spaced: Portal, upstream: Stub, method: str, path: str
) -> None:
    target = f"{M}/api/3.0/mlflow/workspaces{path}"
    assert call(spaced, method, target, who="manager", body=None if method == "GET" else b"{}").status == 200
    assert workspaces_sent(upstream) == []


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *(("GET", ""), ("POST", ""), ("GET", "/team-b"), ("PATCH", "/team-b"), ("DELETE", "/team-b")),
        *(("PATCH", "/team-a"), ("DELETE", "/team-a")),
    ],
)
def test_workspace_routes_with_admin_are_closed_to_a_pinned_service(
    spaced: Portal, upstream: Stub, method: str, path: str
) -> None:
    target = f"{M}/api/3.0/mlflow/workspaces{path}"
    body = None if method == "GET" else b"{}"
    refused(spaced, upstream, method, target, 403, "WORKSPACE_REFUSED", who="pinned", body=body)


def test_pinned_service_with_admin_may_look_at_its_own_workspace(spaced: Portal, upstream: Stub) -> None:
    assert call(spaced, "GET", f"{M}/api/3.0/mlflow/workspaces/team-a", who="pinned").status == 200
    assert upstream.connections == 1


@pytest.mark.usefixtures("_portal")
def test_workspace_routes_are_404_while_workspaces_are_off(served: Portal, upstream: Stub) -> None:
    refused(served, upstream, "GET", f"{M}/api/3.0/mlflow/workspaces", 404, "ROUTE_UNKNOWN", who="manager")
