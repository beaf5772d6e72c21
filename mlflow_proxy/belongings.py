"""Refuse what names a thing of another workspace where MLflow itself does not look; asks MLflow, changes nothing.

MLflow adds a metric that names a logged model to that model, whoever owns it (3.17, sqlalchemy_store,
_log_model_metrics): without this, one team could write results onto another's model.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from mlflow_proxy import conf, headers, lookups
from mlflow_proxy.exceptions import BodyRefusedError, ModelMissingError, UpstreamGarbledError
from mlflow_proxy.routes import Route
from mlflow_proxy.workspaces import DEFAULT

MAXIMUM_REMEMBERED = 10_000
# A model never moves to another workspace, so a good answer holds; asked once by each worker.
_owned: dict[tuple[str, str], None] = {}


def refuse_foreign_models(
    document: Mapping[str, Any], route: Route, workspace: str | None, sent: Mapping[str, str]
) -> None:
    """Raise ModelMissingError where a metric names a logged model that is not in the workspace acted in."""
    if not conf.has_workspaces() or not route.template.endswith(("/runs/log-metric", "/runs/log-batch")):
        return
    for model_id in {*_models_of(document)}:
        if (owned := (workspace or DEFAULT, model_id)) not in _owned:
            _find(model_id, sent)
            _remember(owned)


def _models_of(document: Mapping[str, Any]) -> Iterator[str]:
    metrics = document.get("metrics")
    for metric in (document, *(metrics if isinstance(metrics, list) else ())):
        named = [metric.get(word) for word in ("model_id", "modelId")] if isinstance(metric, Mapping) else []
        for model_id in filter(None, named):
            if not isinstance(model_id, str) or headers.ONE_ID.fullmatch(model_id) is None:
                raise BodyRefusedError("A metric's model_id is not one id.")
            yield model_id


def _find(model_id: str, sent: Mapping[str, str]) -> None:
    status, _ = lookups.ask(f"/api/2.0/mlflow/logged-models/{model_id}", sent)
    if status == 404:
        raise ModelMissingError(f"Logged model with ID '{model_id}' not found.")
    if status != 200:
        raise UpstreamGarbledError()


def _remember(owned: tuple[str, str]) -> None:
    if len(_owned) >= MAXIMUM_REMEMBERED:
        _owned.pop(next(iter(_owned)), None)
    _owned[owned] = None
