"""The route table: every row is found by its own path, and what is not in it does not exist."""

import re

import pytest

from apikeys import scopes
from mlflow_proxy import routes
from mlflow_proxy.exceptions import RouteUnknownError
from mlflow_proxy.routes import ROUTES, TABLE, Route, find

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "get", "")
ALIASES = [f"{form}/{version}/mlflow" for form in ("api", "ajax-api") for version in ("2.0", "3.0")]
NEVER_BELOW_AN_ALIAS = [
    "assistant",
    "assistant/sessions",
    "assistant/sessions/1/stream",
    "assistant/skills/install",
    "assistant/providers/claude_code/health",
    "jobs/1",
    "jobs/cancel/1",
    "scorers/register",
    "scorers/list",
    "scorer/invoke",
    "genai/evaluate/invoke",
    "prompt-optimization/jobs",
    "prompt-optimization/jobs/search",
    "demo/generate",
    "demo/delete",
    "gateway-proxy",
    "gateway/endpoints/list",
    "gateway/secrets/create",
    "gateway/supported-providers",
    "graphql",
    "users/create",
    "users/current",
    "users/update-password",
    "roles/create",
    "permissions/create",
    "experiments/permissions/create",
    "ui-telemetry",
    "mcp-servers",
    "mcp-servers/a/b",
    "webhooks",
    "webhooks/1",
    "webhooks/1/test",
    "runs/create-promptlab-run",
    "artifacts/presigned-upload-url",
    "artifacts/presigned-download-url",
]
NEVER = [
    *(f"{alias}/{path}" for alias in ALIASES for path in NEVER_BELOW_AN_ALIAS),
    *(f"{form}/3.0/jobs{rest}" for form in ("api", "ajax-api") for rest in ("", "/1", "/cancel/1", "/search")),
    *("graphql", "build/main.js", "static-files/main.js", "metrics", "docs", "openapi.json", "signup"),
    *("gateway/x/mlflow/invocations", "gateway/mlflow/v1/chat/completions", "gateway/proxy/x/y", "v1/metrics"),
    *("api/2.0mlflow/experiments/search-datasets", "api/2.1/mlflow/runs/get", "api/4.0/mlflow/runs/get"),
    *("api/2.0/mlflow/experiments/list", "mlflow/api/2.0/mlflow/runs/get", "API/2.0/mlflow/runs/get"),
]


def segments(template: str) -> tuple[str, ...]:
    """Return a path of the row: each placeholder filled, the artifact's with several names."""
    path = template.replace("{artifact_path}", "0/run/artifacts/a.txt")
    return tuple(re.sub(r"\{\w+\}", "m-1", path).split("/"))


def row_id(row: Route) -> str:
    return f"{row.method}-{row.template}"


@pytest.mark.parametrize("row", ROUTES, ids=row_id)
def test_find_path_of_a_row_gives_that_row(row: Route) -> None:
    assert find(row.method, segments(row.template)) is row


@pytest.mark.parametrize("row", ROUTES, ids=row_id)
def test_row_scope_is_a_word_of_the_closed_list(row: Route) -> None:
    assert row.scope is None or row.scope in scopes.ALL


@pytest.mark.parametrize("row", [row for row in ROUTES if row.method == "GET"], ids=row_id)
def test_find_head_is_the_get_of_transfers_alone(row: Route) -> None:
    if row.traffic == "transfer":
        assert find("HEAD", segments(row.template)) is row
    else:
        with pytest.raises(RouteUnknownError):
            find("HEAD", segments(row.template))


@pytest.mark.parametrize("row", [row for row in ROUTES if row.method != "GET"], ids=row_id)
def test_row_that_changes_something_never_asks_for_no_scope(row: Route) -> None:
    assert row.scope is not None


@pytest.mark.parametrize("path", NEVER)
def test_find_path_of_the_never_list_is_unknown_for_every_method(path: str) -> None:
    for method in METHODS:
        with pytest.raises(RouteUnknownError):
            find(method, tuple(path.split("/")))


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD"])
@pytest.mark.parametrize("alias", ALIASES)
def test_find_issues_invoke_is_unknown(method: str, alias: str) -> None:
    with pytest.raises(RouteUnknownError):
        find(method, (*alias.split("/"), "issues", "invoke"))


@pytest.mark.parametrize("method", ["DELETE", "PUT", "POST", "PATCH", "HEAD"])
@pytest.mark.parametrize("form", ["api", "ajax-api"])
def test_find_change_of_the_artifact_root_is_unknown(method: str, form: str) -> None:
    with pytest.raises(RouteUnknownError):
        find(method, (form, "2.0", "mlflow-artifacts", "artifacts"))


@pytest.mark.parametrize("path", ["", "api", "api/2.0", "api/2.0/mlflow", "api/2.0/mlflow/runs", "a/b/c/d/e/f/g/h"])
def test_find_part_of_a_path_is_unknown(path: str) -> None:
    with pytest.raises(RouteUnknownError):
        find("GET", tuple(path.split("/")))


def test_find_no_segments_is_unknown() -> None:
    with pytest.raises(RouteUnknownError):
        find("GET", ())


def test_find_literal_row_wins_over_a_placeholder() -> None:
    route = find("POST", ("api", "2.0", "mlflow", "logged-models", "search"))
    assert (route.template, route.scope) == ("api/2.0/mlflow/logged-models/search", "mlflow:read")


def test_find_placeholder_takes_what_no_literal_row_names() -> None:
    route = find("GET", ("api", "2.0", "mlflow", "logged-models", "m-1"))
    assert route.template == "api/2.0/mlflow/logged-models/{model_id}"


@pytest.mark.parametrize("template", sorted({row.template for row in ROUTES if row.template.startswith("api/")}))
def test_twin_forms_get_the_same_decision(template: str) -> None:
    def decisions(path: str) -> set[tuple[object, ...]]:
        return {(row.method, row.scope, row.resource, row.traffic) for row in ROUTES if row.template == path}

    assert decisions(template) == decisions(f"ajax-{template}")


def test_table_rows_are_pairwise_different() -> None:
    rows = [(row.method, row.template) for row in ROUTES]
    assert len(rows) == len(set(rows))


def test_table_every_line_becomes_a_row() -> None:
    lines = [line for line in TABLE.splitlines() if line]
    assert len(ROUTES) == len(lines) + sum("{api}" in line for line in lines)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "GET"])
def test_artifact_path_of_any_depth_is_one_row(method: str) -> None:
    routes = {find(method, ("api", "2.0", "mlflow-artifacts", "artifacts", *["a"] * depth)) for depth in (1, 2, 9)}
    assert len(routes) == 1


@pytest.mark.parametrize(("method", "is_native"), [("GET", True), ("PUT", True), ("DELETE", False)])
def test_native_artifact_is_told_by_method(method: str, is_native: bool) -> None:
    assert find(method, ("api", "2.0", "mlflow-artifacts", "artifacts", "a")).is_native_artifact is is_native


def test_unknown_route_advice_names_the_tracking_uri() -> None:
    with pytest.raises(RouteUnknownError, match="MLFLOW_TRACKING_URI should end in /api/mlflow"):
        find("GET", ("nowhere",))


def test_unknown_route_advice_names_the_successor_of_experiments_list() -> None:
    with pytest.raises(RouteUnknownError, match="experiments/search"):
        find("GET", ("api", "2.0", "mlflow", "experiments", "list"))


@pytest.mark.parametrize(("below", "held"), [("012", 1), ("0123456789", 0)], ids=["short", "long"])
def test_row_of_a_short_path_alone_is_remembered(below: str, held: int) -> None:
    routes._remembered.cache_clear()
    path = ("api", "2.0", "mlflow-artifacts", "artifacts", *below)
    assert find("GET", path) == find("GET", path)
    assert (routes._remembered.cache_info().currsize, routes._remembered.cache_info().hits) == (held, held)
