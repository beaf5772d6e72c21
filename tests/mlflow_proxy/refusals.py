"""What every refusal has in common, and paths made from the rows of the table."""

import json
import re
from typing import Any

from mlflow_proxy.routes import ROUTES, Route
from tests.mlflow_proxy.portal import Portal
from tests.mlflow_proxy.stub import Stub
from tests.mlflow_proxy.wire import Reply, call

DEEP = "0/run/artifacts/a.txt"


def row_id(row: Route) -> str:
    return f"{row.method}-{row.template}"


def path_of(row: Route) -> str:
    """Return a path of the row: each placeholder filled, the artifact's with enough depth."""
    return re.sub(r"\{\w+\}", "m-1", row.template.replace("{artifact_path}", DEEP))


def mounts_of(row: Route) -> list[str]:
    """Return where the portal serves a row: below each mount, and bare for what a client calls without one."""
    is_bare = re.match(r"api/[23]\.0/mlflow(-artifacts)?/", row.template) is not None
    return ["/api/mlflow", "/mlflow", *([""] if is_bare else [])]


def body_of(row: Route) -> bytes | None:
    """Return a body that no rule but the scope's has anything against."""
    if row.method in {"GET", "HEAD"}:
        return None
    if row.template.endswith("model-versions/create"):
        return b'{"name":"m","source":"runs:/r/model"}'
    return b"{}" if row.reads_json else b"bytes"


def rows(*verbs: str) -> list[Route]:
    return [row for row in ROUTES if row.scope and row.scope.rpartition(":")[2] in verbs]


def assert_refused(reply: Reply, upstream: Stub, status: int, reason: str = "") -> dict[str, Any]:
    """Assert MLflow's error JSON with our words, and that MLflow was not so much as called."""
    document: dict[str, Any] = json.loads(reply.body)
    assert (reply.status, document["reason"]) == (status, reason or document["reason"])
    assert {"error_code", "reason", "message", "detail", "request_id"} <= set(document)
    assert document["request_id"] == reply.request_id != ""
    assert "no-store" in reply.headers["cache-control"]
    assert upstream.connections == 0
    return document


def refused(
    portal: Portal, upstream: Stub, method: str, target: str, status: int, reason: str = "", **more: Any
) -> dict[str, Any]:
    """Make a call and assert that it is refused so."""
    return assert_refused(call(portal, method, target, **more), upstream, status, reason)
