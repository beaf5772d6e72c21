"""Find where the artifacts of a run, model version or logged model rest, by asking MLflow; opens no store."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from mlflow_proxy import lookups
from mlflow_proxy.artifacts import paths

RUN_SCHEME = "runs:/"


def of_run(query: Mapping[str, str], sent: Mapping[str, str]) -> str | None:
    """Return the path below the artifact root that ``get-artifact`` means, None where MLflow must answer itself."""
    return _below(_root_of_run(query.get("run_id") or query.get("run_uuid") or "", sent), query.get("path"))


def of_model_version(query: Mapping[str, str], sent: Mapping[str, str]) -> str | None:
    """Return the path that ``model-versions/get-artifact`` means, or None."""
    asked = urlencode({name: query.get(name, "") for name in ("name", "version")})
    found = _ask(f"/api/2.0/mlflow/model-versions/get-download-uri?{asked}", sent)
    return _below(_resolved(_text_at(found, "artifact_uri"), sent), query.get("path"))


def of_logged_model(model_id: str, query: Mapping[str, str], sent: Mapping[str, str]) -> str | None:
    """Return the path that ``logged-models/{model_id}/artifacts/files`` means, or None."""
    found = _ask(f"/api/2.0/mlflow/logged-models/{quote(model_id, safe='')}", sent)
    return _below(_text_at(found, "model", "info", "artifact_uri"), query.get("artifact_file_path"))


def _root_of_run(run_id: str, sent: Mapping[str, str]) -> str:
    found = _ask(f"/api/2.0/mlflow/runs/get?{urlencode({'run_id': run_id})}", sent)
    return _text_at(found, "run", "info", "artifact_uri")


def _resolved(uri: str, sent: Mapping[str, str]) -> str:
    """Return where a version's files rest; MLflow's server cannot follow a source that names a run."""
    if not uri.startswith(RUN_SCHEME):
        return uri
    run_id, _, below = uri.removeprefix(RUN_SCHEME).partition("/")
    return f"{_root_of_run(run_id, sent)}/{below}"


def _ask(target: str, sent: Mapping[str, str]) -> dict[str, Any]:
    """Return MLflow's answer; empty for a refusal, or for more than is read: MLflow then answers the call itself."""
    status, raw = lookups.ask(target, sent)
    if status != 200:
        return {}
    try:
        document = json.loads(raw)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _text_at(document: Any, *names: str) -> str:
    for name in names:
        document = document.get(name) if isinstance(document, dict) else None
    return document if isinstance(document, str) else ""


def _below(root: str, path: str | None) -> str | None:
    """Return root and path as one, None for a root that the portal does not serve or a call that names no path."""
    if not path or not root.startswith(paths.SERVED_SCHEME) or root.startswith(f"{paths.SERVED_SCHEME}/"):
        return None
    whole = f"{root.removeprefix(paths.SERVED_SCHEME).strip('/')}/{paths.fully_decoded(path).removesuffix('/')}"
    paths.refuse_ambiguous_path(whole)
    return whole
