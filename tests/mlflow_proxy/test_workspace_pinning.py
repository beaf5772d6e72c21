"""P0 28: a key acts in its service's workspaces, whatever header it sends; names carry the case."""

import uuid
from collections.abc import Iterator

import pytest

from tests.mlflow_proxy.portal import Home, Portal, running
from tests.mlflow_proxy.refusals import refused
from tests.mlflow_proxy.stub import Stub, ok
from tests.mlflow_proxy.wire import FILES, SEARCH, M, Reply, call, head, send_raw, status_of

HEADER = "X-MLFLOW-WORKSPACE"
SPELLINGS = [HEADER, "x-mlflow-workspace", "X-MLflow-Workspace", "x-MLFLOW-wOrKsPaCe"]


@pytest.fixture(scope="module")
def _portal(home: Home, _stub_for_the_session: Stub) -> Iterator[Portal]:
    for service in ("pinned", "roaming", "manager"):
        home.manage("create_service", service)
        home.issue(service, "--service", service, "--preset", "operator", "--scope", "mlflow:admin")
    with running(home, _stub_for_the_session, "workspaces", HOKUSAI_WORKSPACES="true") as portal:
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


# A metric that names a logged model: MLflow adds it to the model, whoever owns that.


MODEL = "m-" + "0" * 32
METRICS = {
    "log-metric": '{{"run_id": "r", "key": "k", "value": 1, "timestamp": 1, "{word}": "{model}"}}',
    "log-batch": '{{"run_id": "r", "metrics": [{{"key": "k", "value": 1}}, {{"key": "k", "{word}": "{model}"}}]}}',
}
MISSING = ok(b'{"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no"}', status="404 Not Found")


def measured(portal: Portal, verb: str, word: str = "model_id", model: str = "", who: str = "pinned") -> Reply:
    """Log a metric for a model that no other test names, unless one is given."""
    body = METRICS[verb].format(word=word, model=model or f"m-{uuid.uuid4().hex}").encode()
    headers = {"Content-Type": "application/json"}
    return call(portal, "POST", f"{M}/api/2.0/mlflow/runs/{verb}", who=who, headers=headers, body=body)


@pytest.mark.parametrize("word", ["model_id", "modelId"])
@pytest.mark.parametrize("verb", METRICS)
@pytest.mark.parametrize(("who", "workspace"), [("pinned", ["team-a"]), ("operator", [])])
def test_metric_of_another_workspace_s_model_is_404_and_not_sent(
    spaced: Portal, upstream: Stub, verb: str, word: str, who: str, workspace: list[str]
) -> None:
    upstream.reply(MISSING)
    reply = measured(spaced, verb, word, MODEL, who)
    assert (reply.status, reply.json["reason"]) == (404, "MODEL_MISSING")
    assert [seen.target for seen in upstream.seen] == [f"/mlflow/api/2.0/mlflow/logged-models/{MODEL}"]
    assert workspaces_sent(upstream) == workspace


@pytest.mark.parametrize("verb", METRICS)
def test_metric_of_the_own_workspace_s_model_passes_and_is_asked_about_once(
    spaced: Portal, upstream: Stub, verb: str
) -> None:
    model = f"m-{uuid.uuid4().hex}"
    assert [measured(spaced, verb, model=model).status for _ in range(2)] == [200, 200]
    assert [seen.method for seen in upstream.seen] == ["GET", "POST", "POST"]


def test_model_known_in_one_workspace_is_asked_about_in_another(spaced: Portal, upstream: Stub) -> None:
    model = f"m-{uuid.uuid4().hex}"
    measured(spaced, "log-metric", model=model, who="pinned")
    measured(spaced, "log-metric", model=model, who="operator")
    assert [seen.method for seen in upstream.seen] == ["GET", "POST", "GET", "POST"]


@pytest.mark.parametrize("answer", [ok(b"{}", status="500 No"), ok(b"{}", status="503 No")])
def test_metric_is_not_called_foreign_where_mlflow_fails(spaced: Portal, upstream: Stub, answer: bytes) -> None:
    upstream.reply(answer)
    assert measured(spaced, "log-metric").status == 502
    assert len(upstream.seen) == 1


@pytest.mark.parametrize("model", ["../experiments/get", "m-1?x", "m 1", "a" * 65])
def test_metric_of_a_model_that_is_no_id_is_400(spaced: Portal, upstream: Stub, model: str) -> None:
    assert measured(spaced, "log-metric", model=model).status == 400
    assert upstream.connections == 0


def test_metric_without_a_model_asks_nothing(spaced: Portal, upstream: Stub) -> None:
    body = b'{"run_id": "r", "key": "k", "value": 1, "timestamp": 1, "model_id": ""}'
    assert call(spaced, "POST", f"{M}/api/2.0/mlflow/runs/log-metric", who="pinned", body=body).status == 200
    assert [seen.method for seen in upstream.seen] == ["POST"]


def test_metric_of_a_model_asks_nothing_while_workspaces_are_off(served: Portal, upstream: Stub) -> None:
    assert measured(served, "log-metric", who="operator").status == 200
    assert [seen.method for seen in upstream.seen] == ["POST"]
