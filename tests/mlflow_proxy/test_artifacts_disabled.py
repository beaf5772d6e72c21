"""MLFLOW_SERVE_ARTIFACTS=false: every artifact route says so in the old words, and nothing else changes."""

import pytest

from mlflow_proxy.routes import ROUTES, Route
from tests.mlflow_proxy.portal import Portal
from tests.mlflow_proxy.stub import Stub
from tests.mlflow_proxy.test_routes import row_id, segments
from tests.mlflow_proxy.wire import SEARCH, M, call

DETAIL = "Artifact storage is not configured. Please contact your administrator."
ARTIFACT_ROWS = [row for row in ROUTES if row.is_artifact]


@pytest.mark.parametrize("row", ARTIFACT_ROWS, ids=row_id)
def test_artifact_row_is_503_in_the_old_words_without_retry_after(
    without_artifacts: Portal, upstream: Stub, row: Route
) -> None:
    reply = call(without_artifacts, row.method, f"{M}/{'/'.join(segments(row.template))}")
    document = reply.json
    assert (reply.status, document["detail"]) == (503, DETAIL)
    assert document["error"] == document["reason"] == "ARTIFACTS_DISABLED"
    assert document["error_code"] == "TEMPORARILY_UNAVAILABLE"
    assert "retry-after" not in reply.headers
    assert upstream.connections == 0


@pytest.mark.parametrize(("who", "status"), [(None, 401), ("reader", 403)])
def test_artifact_row_asks_for_the_right_first(without_artifacts: Portal, who: str | None, status: int) -> None:
    target = f"{M}/api/2.0/mlflow-artifacts/artifacts/0/run/artifacts/a"
    assert call(without_artifacts, "PUT", target, who=who, body=b"x").status == status


def test_metadata_row_is_served(without_artifacts: Portal, upstream: Stub) -> None:
    assert call(without_artifacts, "GET", SEARCH).status == 200
    assert len(upstream.seen) == 1
