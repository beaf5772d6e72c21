"""GraphQL: what the interface ships passes, word for word; a word more, and it does not."""

import json
from typing import Any

import pytest

from mlflow_proxy.exceptions import BodyRefusedError, ForbiddenError
from mlflow_proxy.ui import graphql
from tests.mlflow_proxy.stub import Stub
from tests.mlflow_proxy.ui.conftest import Browser, whole

# As Chromium sent it.
DOCUMENT = """query MlflowGetExperimentQuery($input: MlflowGetExperimentInput!) @component(name: "MLflow.ExperimentRunTracking") {
  mlflowGetExperiment(input: $input) {
    apiError { code message __typename }
    experiment {
      artifactLocation creationTime effectiveTraceArchivalRetention experimentId lastUpdateTime lifecycleStage name
      tags { key value __typename }
      __typename
    }
    __typename
  }
}
"""  # noqa: E501
CALL = {"operationName": "MlflowGetExperimentQuery", "variables": {"input": {"experimentId": "1"}}, "query": DOCUMENT}
BULK = graphql.DOCUMENTS["GetMetricHistoryBulkInterval"]


def body(**changes: Any) -> bytes:
    return json.dumps({name: value for name, value in (CALL | changes).items() if value is not ...}).encode()


def test_shipped_document_arrives_as_it_came(mlflow: Stub, viewer: Browser) -> None:
    reply = viewer.fetch("POST", "/mlflow/graphql", body())
    assert reply.status_code == 200, whole(reply)
    assert (mlflow.seen[0].target, mlflow.seen[0].body) == ("/mlflow/graphql", body())
    whole(reply)


@pytest.mark.parametrize(
    "raw",
    [
        body(query=DOCUMENT.replace("name", "name runs { info { runUuid } }", 1)),
        body(query=f"{DOCUMENT} query Other {{ __schema {{ types {{ name }} }} }}"),
        body(query="{ __schema { types { name } } }"),
        body(query="query IntrospectionQuery { __schema { types { name } } }", operationName="IntrospectionQuery"),
        body(query=DOCUMENT.replace("name", "a: name b: name", 1)),
        body(query=f"{DOCUMENT}# a comment"),
        body(query=""),
        body(query=...),
        body(query=None),
        body(query=[DOCUMENT]),
        body(operationName="GetRun"),
        body(operationName=...),
        body(operationName=None),
        body(operationName=["MlflowGetExperimentQuery"]),
        body(variables=...),
        body(variables={}),
        body(variables=[]),
        body(variables={"input": "1"}),
        body(variables={"input": {"experimentId": "1", "more": 1}}),
        body(variables={"input": {"experimentId": "1"}, "data": {}}),
        body(variables={"input": {"experimentId": {"a": 1}}}),
        body(variables={"input": {"experimentId": ["1"] * 101}}),
        body(extensions={"persistedQuery": {}}),
        b"{}",
    ],
)
def test_any_other_document_is_403(mlflow: Stub, editor: Browser, raw: bytes) -> None:
    reply = editor.fetch("POST", "/mlflow/graphql", raw)
    assert (reply.status_code, reply.json()["reason"]) == (403, "GRAPHQL_REFUSED")
    assert mlflow.connections == 0


@pytest.mark.parametrize("raw", [b"", b"[]", b"null", b"\xff", b"[" + body() + b"]", b'{"query":"a","query":"b"}'])
def test_body_that_is_no_object_is_400(mlflow: Stub, viewer: Browser, raw: bytes) -> None:
    reply = viewer.fetch("POST", "/mlflow/graphql", raw)
    assert (reply.status_code, reply.json()["reason"]) == (400, "BODY_REFUSED")
    assert mlflow.connections == 0


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_other_method_is_404(mlflow: Stub, editor: Browser, method: str) -> None:
    assert editor.fetch(method, "/mlflow/graphql").status_code == 404
    assert mlflow.connections == 0


@pytest.mark.parametrize("path", ["/mlflow/ajax-api/graphql", "/mlflow/api/graphql", "/api/mlflow/graphql", "/graphql"])
def test_other_address_is_not_served(mlflow: Stub, editor: Browser, path: str) -> None:
    assert editor.fetch("POST", path, body()).status_code in {401, 404}
    assert mlflow.connections == 0


@pytest.mark.parametrize(
    ("fields", "is_good"),
    [
        ({"runIds": ["r"] * 100, "metricKey": "loss", "startStep": None, "endStep": None, "maxResults": 320}, True),
        ({"runIds": ["r"], "metricKey": "loss", "maxResults": None}, True),
        ({"runIds": ["r"] * 101, "metricKey": "loss"}, False),
        ({"runIds": [1]}, False),
        ({"maxResults": 2501}, False),
        ({"maxResults": 0}, False),
        ({"maxResults": "2501"}, False),
    ],
)
def test_variables_are_bounded(fields: dict[str, Any], is_good: bool) -> None:
    assert graphql._are_bounded({"data": fields}, BULK) is is_good


def test_refuse_unknown_raises_what_its_docstring_says() -> None:
    with pytest.raises(ForbiddenError):
        graphql.refuse_unknown(b"{}")
    with pytest.raises(BodyRefusedError):
        graphql.refuse_unknown(b"")
