"""What operators ask of MLflow through the portal: creating workspaces. Commands and screens ask, never a caller.

``WorkspaceNotCreatedError`` carries MLflow's own complaint, or why it could not be asked.
"""

import json

from mlflow_proxy import conf, upstream
from mlflow_proxy.exceptions import ProxyError

LIMIT = 64 * 1024


class WorkspaceNotCreatedError(Exception):
    """MLflow refused, or does not answer; the message is for the operator."""


def ensure_workspace(name: str) -> str:
    """Create a workspace in MLflow unless it is there; return which of the two, in words."""
    target = f"{conf.static_prefix()}/api/3.0/mlflow/workspaces"
    headers = {"Host": conf.upstream().netloc, "X-Forwarded-For": "unknown", "Content-Type": "application/json"}
    try:
        response = upstream.send("POST", target, headers, body=json.dumps({"name": name}).encode())
        status, raw = response.status, upstream.read(response, LIMIT)
    except ProxyError as error:
        raise WorkspaceNotCreatedError(str(error)) from None
    if status < 300:
        return "created"
    if b"RESOURCE_ALREADY_EXISTS" in raw:
        return "there already"
    raise WorkspaceNotCreatedError(f"MLflow refused the workspace {name}: {raw[:300].decode(errors='replace')}")
