"""Let through the GraphQL documents that MLflow's interface ships, word for word, and no other; pure.

GraphQL reads across runs, experiments and models, and answers as much as it is asked for. So a document is known by
its digest, and its variables by their names and size. A test compares the digests with the installed interface.
"""

from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from mlflow_proxy import parameters
from mlflow_proxy.exceptions import ForbiddenError

MAXIMUM_IDS = 100
MAXIMUM_RESULTS = 2500


@dataclass(frozen=True, slots=True)
class Shipped:
    """``digest`` of the document with its white space collapsed; ``variable`` is its only one, an object of fields."""

    digest: str
    variable: str
    fields: frozenset[str]


DOCUMENTS = {
    "MlflowGetExperimentQuery": Shipped(
        "ce7e6ad9f61fc1eefd289d01f5abcb1358a82fe7130b403774792e0faf8dfd5e", "input", frozenset({"experimentId"})
    ),
    "GetRun": Shipped("6fbdd23cf9e6ceb0d91d84f524ee91896d710e224dad513933f76645ebaa17e4", "data", frozenset({"runId"})),
    "SearchRuns": Shipped(
        "a9bd0a9f268cb452bf27ee4886caa978e226318647d695861bce741346475503",
        "data",
        frozenset({"filter", "experimentIds"}),
    ),
    "GetMetricHistoryBulkInterval": Shipped(
        "9ca53d3f567de57b3b2a1c3c2b5a72a8fc51b26244a3050a59545748059280b1",
        "data",
        frozenset({"runIds", "metricKey", "startStep", "endStep", "maxResults"}),
    ),
}


def digest(document: str) -> str:
    """Return what a document is known by; white space means nothing between the words of these."""
    return sha256(" ".join(document.split()).encode()).hexdigest()


def refuse_unknown(raw: bytes) -> None:
    """Raise ForbiddenError unless the body of a call asks for a shipped document, with variables of its own kind."""
    call = parameters.parse_json(raw)
    name, document = call.get("operationName"), call.get("query")
    shipped = DOCUMENTS.get(name) if isinstance(name, str) else None
    is_known = (
        shipped is not None
        and isinstance(document, str)
        and digest(document) == shipped.digest
        and call.keys() == {"operationName", "query", "variables"}
        and _are_bounded(call["variables"], shipped)
    )
    if not is_known:
        raise ForbiddenError(
            "GraphQL answers only what MLflow's interface itself asks for. Use MLflow's REST API with a key.",
            reason="GRAPHQL_REFUSED",
        )


def _are_bounded(variables: Any, shipped: Shipped) -> bool:
    fields = variables.get(shipped.variable) if isinstance(variables, dict) and len(variables) == 1 else None
    if not isinstance(fields, dict) or not fields.keys() <= shipped.fields:
        return False
    return all(_is_bounded(name, value) for name, value in fields.items())


def _is_bounded(name: str, value: Any) -> bool:
    if isinstance(value, list):
        return len(value) <= MAXIMUM_IDS and all(isinstance(item, str) for item in value)
    if name == "maxResults":
        return value is None or (isinstance(value, int) and 0 < value <= MAXIMUM_RESULTS)
    return value is None or isinstance(value, str | int)
