"""The installed MLflow server's own routes against the portal's tables: an upgrade is a reviewed difference."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from mlflow_proxy import denied, parameters, routes
from mlflow_proxy.exceptions import RouteUnknownError

ROOT = Path(__file__).resolve().parent.parent.parent
PARAMETER = re.compile(r"\{(\w+)(:path)?\}")


def ask_mlflow(script):
    python = ROOT / ".venv-mlflow" / "bin" / "python"
    environment = {"MLFLOW_DISABLE_TELEMETRY": "true", "PATH": "/usr/bin:/bin"}
    command = [python, "-W", "ignore", Path(__file__).with_name(script)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, env=environment).stdout)


@pytest.fixture(scope="module")
def served():
    return [tuple(pair) for pair in ask_mlflow("mlflow_routes.py")]


def is_allowed(method, path):
    segments = tuple(PARAMETER.sub(r"some-\1", path).strip("/").split("/"))
    try:
        routes.find(method, segments)
    except RouteUnknownError:
        return False
    return True


def test_every_mlflow_route_is_classified(served):
    unknown = [pair for pair in served if not is_allowed(*pair) and denied.reason_for(pair[1]) is None]
    assert unknown == []


def test_no_denied_route_is_allowed(served):
    both = [pair for pair in served if is_allowed(*pair) and denied.reason_for(pair[1]) is not None]
    assert both == []


def test_every_row_is_a_route_of_mlflow(served):
    shapes = {(method, PARAMETER.sub("{}", path).strip("/")) for method, path in served}
    missing = [row for row in routes.ROUTES if (row.method, PARAMETER.sub("{}", row.template)) not in shapes]
    assert missing == []


def test_every_denial_names_something_mlflow_serves(served):
    reasons = {denied.reason_for(path) for _, path in served}
    assert set(denied.REASONS.values()) <= reasons


def test_repeatable_fields_are_those_of_mlflow():
    assert set(ask_mlflow("mlflow_repeatable.py")) == set(parameters.REPEATABLE)


@pytest.mark.parametrize(
    "pair",
    [
        ("POST", "/v1/traces"),
        ("POST", "/api/2.0/mlflow/runs/create"),
        ("PUT", "/api/2.0/mlflow-artifacts/artifacts/{artifact_path:path}"),
        ("POST", "/ajax-api/3.0/mlflow/assistant/message"),
        ("GET", "/api/3.0/mlflow/mcp-servers"),
    ],
)
def test_the_walk_sees_every_kind_of_router(served, pair):
    assert pair in served
