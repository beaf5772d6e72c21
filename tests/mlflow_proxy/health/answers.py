"""Answers of an MLflow that the stub plays; decides nothing about what is right."""

import json
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

from mlflow_proxy.routes import MLFLOW_SERIES
from tests.mlflow_proxy.stub import Answer, Seen, ok

MISSING_FILE = ok(b'{"error_code":"RESOURCE_DOES_NOT_EXIST","message":"m"}', status="404 Not Found")
MISSING_ROUTE = ok(b'{"detail":"Not Found"}', status="404 Not Found")
ARTIFACTS_OFF = ok(
    b'{"detail":"Artifact serving is disabled. Run `mlflow server` with `--serve-artifacts` to enable."}',
    status="503 Service Unavailable",
)


def like_mlflow(
    version: bytes = f"{MLFLOW_SERIES}.2".encode(), native: bytes = MISSING_FILE, prefix: str = "/mlflow"
) -> Callable[[Seen], Answer]:
    """A script: MLflow under a prefix, whose native artifact route answers ``native``."""

    def script(seen: Seen) -> Answer:
        if seen.target == f"{prefix}/version":
            return Answer([ok(version)])
        if seen.target.startswith("/api/2.0/mlflow-artifacts/"):
            return Answer([native])
        is_api = seen.target.startswith(f"{prefix}/api/2.0/mlflow/experiments/search")
        return Answer([ok(b"{}") if is_api else MISSING_ROUTE])

    return script


def with_experiments(*locations: str, page: int = 1000) -> Callable[[Seen], Answer]:
    """A script: experiments with these locations, the newest first, in pages."""

    def script(seen: Seen) -> Answer:
        query = parse_qs(urlsplit(seen.target).query)
        start, size = int(query.get("page_token", ["0"])[0]), min(page, int(query["max_results"][0]))
        found = [
            {"experiment_id": str(number), "artifact_location": location}
            for number, location in enumerate(locations[start : start + size], start=start)
        ]
        token = {"next_page_token": str(start + size)} if start + size < len(locations) else {}
        return Answer([ok(json.dumps({"experiments": found} | token).encode())])

    return script
