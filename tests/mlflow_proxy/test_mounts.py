"""Where the proxy stands: mounts, aliases, the page for browsers, and who is let in."""

import base64

import pytest

from apikeys import scopes
from mlflow_proxy.routes import ROUTES, Route
from tests.mlflow_proxy.portal import Portal
from tests.mlflow_proxy.stub import Stub, ok
from tests.mlflow_proxy.test_routes import NEVER, row_id, segments
from tests.mlflow_proxy.test_upstream_faults import assert_portal_error
from tests.mlflow_proxy.wire import FILES, SEARCH, M, call

PATH = "/api/2.0/mlflow/experiments/search"


@pytest.mark.parametrize("mount", ["/api/mlflow", "/mlflow", ""])
def test_every_mount_leads_to_the_same_target(served: Portal, upstream: Stub, mount: str) -> None:
    assert call(served, "GET", f"{mount}{PATH}").status == 200
    assert upstream.seen[0].target == f"/mlflow{PATH}"


def test_bare_root_listing_of_the_client_is_served(served: Portal, upstream: Stub) -> None:
    assert call(served, "GET", "/api/2.0/mlflow-artifacts/artifacts?path=").status == 200


@pytest.mark.parametrize(
    ("path", "leads_to"),
    [
        ("/api/mlflow", "/mlflow/"),
        ("/api/mlflow/", "/mlflow/"),
        ("/mlflow", "/mlflow/"),
        ("/mlflow/", "/sign-in?next=/mlflow/"),
    ],
)
def test_mount_leads_a_browser_to_the_interface(served: Portal, upstream: Stub, path: str, leads_to: str) -> None:
    reply = call(served, "GET", path, who=None, headers={"Accept": "text/html,*/*"})
    assert (reply.status, reply.headers["location"]) == (302, leads_to)
    assert upstream.connections == 0


@pytest.mark.parametrize("path", ["/api/mlflow", "/api/mlflow/", "/mlflow", "/mlflow/"])
@pytest.mark.parametrize("accept", ["*/*", "application/json"])
def test_mount_for_a_client_without_key_is_json_401(served: Portal, path: str, accept: str) -> None:
    reply = call(served, "GET", path, who=None, headers={"Accept": accept})
    assert_portal_error(reply, 401, "UNAUTHENTICATED")


@pytest.mark.parametrize(
    "path", [SEARCH, FILES, f"{M}/nowhere", f"{M}/a//b", f"{M}/{PATH}/", "/mlflow/graphql", "/api/3.0/mlflow/x"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_anonymous_everywhere_is_401_whatever_the_path(served: Portal, upstream: Stub, method: str, path: str) -> None:
    reply = call(served, method, path, who=None, headers={"Accept": "application/json"})
    assert_portal_error(reply, 401, "UNAUTHENTICATED")
    assert reply.headers["www-authenticate"] == "Bearer"
    assert "no-store" in reply.headers["cache-control"]
    assert upstream.connections == 0


@pytest.mark.parametrize(
    "path", ["/api", "/api/2.1/mlflow/runs/get", "/api/4.0/mlflow/x", "/graphql", "/build/x", "/.git"]
)
def test_path_outside_every_mount_is_a_cheap_404(served: Portal, upstream: Stub, path: str) -> None:
    assert call(served, "GET", path, who=None).status == 404
    assert upstream.connections == 0


@pytest.mark.parametrize("path", [f"{M}{PATH}/", f"{M}//x", "/api/mlflow", "/mlflow", f"{M}/version/"])
def test_api_path_is_never_redirected(served: Portal, path: str) -> None:
    for method in ("GET", "POST"):
        assert not 300 <= call(served, method, path).status < 400


@pytest.mark.parametrize("path", [path for path in NEVER if not path.startswith("mlflow/")])
def test_unlisted_routes_are_404_for_the_strongest_key(served: Portal, upstream: Stub, path: str) -> None:
    for method in ("GET", "POST"):
        reply = call(served, method, f"{M}/{path}")
        assert_portal_error(reply, 404, "ROUTE_UNKNOWN")
        assert reply.json["error_code"] == "ENDPOINT_NOT_FOUND"
    assert upstream.connections == 0


@pytest.mark.parametrize(
    "row", [row for row in ROUTES if row.scope and not scopes.grants(scopes.PRESETS["reader"], row.scope)], ids=row_id
)
def test_route_aliases_row_that_changes_something_is_403_for_a_reader(
    served: Portal, upstream: Stub, row: Route
) -> None:
    reply = call(served, row.method, f"{M}/{'/'.join(segments(row.template))}", who="reader")
    assert_portal_error(reply, 403, "SCOPE_MISSING")
    assert (reply.json["error_code"], reply.json["required_scope"]) == ("PERMISSION_DENIED", row.scope)
    assert upstream.connections == 0


def test_route_aliases_search_by_post_is_a_read(served: Portal, upstream: Stub) -> None:
    assert call(served, "POST", f"{M}/api/2.0/mlflow/runs/search", who="reader", body=b"{}").status == 200


@pytest.mark.parametrize("user", ["platform", "__token__"])
def test_basic_auth_forms_key_as_password_is_served(served: Portal, upstream: Stub, user: str) -> None:
    encoded = base64.b64encode(f"{user}:{served.home.keys['reader']}".encode()).decode()
    assert call(served, "GET", SEARCH, who=None, headers={"Authorization": f"Basic {encoded}"}).status == 200


def test_key_in_query_is_refused_with_advice(served: Portal, upstream: Stub) -> None:
    reply = call(served, "GET", f"{SEARCH}&api_key=planted")
    assert_portal_error(reply, 400, "KEY_IN_QUERY")
    assert upstream.connections == 0


def test_empty_root_listing_names_its_list(served: Portal, upstream: Stub) -> None:
    assert call(served, "GET", FILES).json == {"files": []}


def test_filled_listing_is_relayed(served: Portal, upstream: Stub) -> None:
    upstream.reply(ok(b'{"files":[{"path":"a"}]}'))
    assert call(served, "GET", FILES).json == {"files": [{"path": "a"}]}
