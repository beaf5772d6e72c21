"""What MLflow serves and no key reaches, with the reason; for the contract test, the list and the documents.

Nothing depends on it when a call is judged: a route in no table at all is denied as well. A new release of MLflow
brings routes that stand in neither table, and the contract test asks for a decision on each.
"""

from collections.abc import Mapping
from types import MappingProxyType

# Path below api/ or ajax-api/ (or whole), as a prefix up to a segment's end, to the reason.
REASONS: Mapping[str, str] = MappingProxyType(
    {
        "": "pages of MLflow's own web interface",
        "static-files": "pages of MLflow's own web interface",
        "build": "the same assets once more, outside of every prefix",
        "graphql": "reads across experiments and models without a scope for each",
        "gateway": "AI gateway: forwards credentials to model vendors",
        "2.0/mlflow/gateway-proxy": "AI gateway: forwards credentials to model vendors",
        "3.0/mlflow/gateway": "AI gateway: secrets, budgets and routes to model vendors",
        "3.0/mlflow/assistant": "a code assistant with a shell on the server",
        "3.0/jobs": "runs named functions on the server",
        "3.0/mlflow/jobs": "runs named functions on the server",
        "3.0/mlflow/prompt-optimization": "runs jobs on the server",
        "3.0/mlflow/scorer": "runs code of others on the server",
        "3.0/mlflow/scorers": "stores code that the server runs later",
        "3.0/mlflow/genai": "runs jobs on the server",
        "3.0/mlflow/issues/invoke": "runs jobs on the server",
        "3.0/mlflow/mcp-servers": "a registry of servers that agents are sent to",
        "3.0/mlflow/demo": "writes and wipes demonstration data",
        "3.0/mlflow/ui-telemetry": "sends usage data to MLflow's makers",
        "2.0/mlflow/webhooks": "makes the server call any address, and stores secrets",
        "2.0/mlflow/runs/create-promptlab-run": "calls the AI gateway",
        "2.0/mlflow/artifacts/presigned-download-url": "hands out signed addresses of the store",
        "2.0/mlflow/artifacts/presigned-upload-url": "hands out signed addresses of the store",
        "2.0/mlflow/get-online-trace-details": "answers 404 in the open-source server",
        "2.0/mlflow/unified-traces": "answers 404 in the open-source server",
        "2.0mlflow": "a misspelt route of MLflow's own that answers 404",
    }
)


def reason_for(path: str) -> str | None:
    """Return why a path of MLflow (no leading slash, parameters in braces) is denied by name, or None."""
    below = path.strip("/").removeprefix("ajax-api/").removeprefix("api/")
    parts = below.split("/")
    prefixes = ("/".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((REASONS[prefix] for prefix in prefixes if prefix in REASONS), None)
