"""List the registered models for the portal's own first page: one bounded question to MLflow; judges no right."""

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import structlog

from mlflow_proxy import conf, routes, upstream
from mlflow_proxy.exceptions import ProxyError

log = structlog.get_logger(__name__)

MAXIMUM_MODELS = 25
# Each model comes with its versions' descriptions and tags.
MAXIMUM_BYTES = 2 * 1024**2
PATIENCE_SECONDS = 3.0
_SEARCH = ("api", "2.0", "mlflow", "registered-models", "search")


@dataclass(frozen=True, slots=True)
class Model:
    """A registered model: its newest version, empty where it has none, and aliases with the version each stands for."""

    name: str
    version: str
    aliases: tuple[tuple[str, str], ...]

    @property
    def path(self) -> str:
        """Where the interface shows it, below its own address."""
        return f"#/models/{quote(self.name, safe='')}"


def latest() -> list[Model] | None:
    """Return the models that changed last, at most MAXIMUM_MODELS; None where MLflow does not say."""
    try:
        return [_read(found) for found in _ask().get("registered_models", ())]
    except (ProxyError, ValueError, TypeError, KeyError, AttributeError) as error:
        log.warning("models_not_listed", error=type(error).__name__)
        return None


def _ask() -> dict[str, Any]:
    route = routes.find("GET", _SEARCH)
    query = urlencode({"max_results": MAXIMUM_MODELS, "order_by": "last_updated_timestamp DESC"})
    target = f"{conf.static_prefix()}/{route.template}?{query}"
    status, body = upstream.ask("GET", target, seconds=PATIENCE_SECONDS, limit=MAXIMUM_BYTES, traffic=route.traffic)
    document = json.loads(body)
    if status != 200 or not isinstance(document, dict):
        raise ValueError("no list of models")
    return document


def _read(found: dict[str, Any]) -> Model:
    versions = [int(version["version"]) for version in found.get("latest_versions", ())]
    aliases = tuple((alias["alias"], str(alias["version"])) for alias in found.get("aliases", ()))
    return Model(found["name"], str(max(versions)) if versions else "", aliases)
