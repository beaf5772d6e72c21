"""Traces: from the client's decorator, and from exporters in every encoding that MLflow reads."""

import base64
import gzip
import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.live.client import run_client
from tests.live.processes import eventually
from tests.live.stack import Portal

pytestmark = pytest.mark.live

TRACE = """
    @mlflow.trace(name="answer")
    def answer(question):
        with mlflow.start_span("think") as span:
            span.set_inputs({"question": question})
        return "42"
    experiment = mlflow.set_experiment(os.environ["EXPERIMENT"])
    answer("what?")
    mlflow.flush_trace_async_logging()
    trace_id = mlflow.get_last_active_trace_id()
    (found,) = mlflow.search_traces(locations=[experiment.experiment_id], return_type="list")
    result["found"] = found.info.trace_id == trace_id
    result["spans"] = sorted(span.name for span in found.data.spans)
    result["preview"] = found.info.response_preview
    mlflow.log_feedback(trace_id=trace_id, name="good", value=True)
    mlflow.set_trace_tag(trace_id, "colour", "red")
    again = mlflow.get_trace(trace_id)
    result["feedback"] = {one.name: one.feedback.value for one in again.info.assessments}
    result["tag"] = again.info.tags["colour"]
    result["deleted"] = MlflowClient().delete_traces(experiment.experiment_id, trace_ids=[trace_id])
"""
PROTOBUF = """
    import base64
    from google.protobuf.json_format import ParseDict
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
    for name, document in json.loads(os.environ["DOCUMENTS"]).items():
        for span in document["resourceSpans"][0]["scopeSpans"][0]["spans"]:
            for field in ("traceId", "spanId"):
                span[field] = base64.b64encode(bytes.fromhex(span[field])).decode()
        message = ParseDict(document, ExportTraceServiceRequest())
        result[name] = base64.b64encode(message.SerializeToString()).decode()
"""


def span_document(trace: str) -> dict[str, Any]:
    """Return one span as OTLP's JSON spells it."""
    start = 1_700_000_000_000_000_000
    span = {
        "traceId": trace,
        "spanId": uuid.uuid4().hex[:16],
        "name": "exported",
        "kind": 1,
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(start + 1_000_000),
        "status": {"code": 1},
    }
    return {"resourceSpans": [{"resource": {}, "scopeSpans": [{"scope": {"name": "live"}, "spans": [span]}]}]}


@pytest.fixture(scope="module")
def encodings(local: Portal) -> dict[str, tuple[str, dict[str, str], bytes]]:
    """Return by name: trace id, headers and body; the protobuf one is made by the client's own library."""
    traces = {name: uuid.uuid4().hex for name in ("json", "protobuf", "gzip json", "gzip protobuf")}
    documents = {name: span_document(trace) for name, trace in traces.items()}
    made = run_client(PROTOBUF, local, local.key(), DOCUMENTS=json.dumps(documents))
    bodies = {
        name: json.dumps(document).encode() if name.endswith("json") else base64.b64decode(made[name])
        for name, document in documents.items()
    }
    sent = {}
    for name, body in bodies.items():
        kind = "application/json" if name.endswith("json") else "application/x-protobuf"
        is_packed = name.startswith("gzip")
        headers = {"Content-Type": kind} | ({"Content-Encoding": "gzip"} if is_packed else {})
        sent[name] = (traces[name], headers, gzip.compress(body) if is_packed else body)
    return sent


@pytest.fixture(scope="module")
def experiment(local: Portal) -> str:
    name = f"traces {uuid.uuid4().hex[:8]}"
    found: str = local.api("POST", "2.0/mlflow/experiments/create", json={"name": name})["experiment_id"]
    return found


def found_traces(portal: Portal, experiment: str) -> list[str]:
    location = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment}}
    body = {"locations": [location], "max_results": 100}
    return [trace["trace_id"] for trace in portal.api("POST", "3.0/mlflow/traces/search", json=body).get("traces", [])]


def in_pieces(body: bytes) -> Iterator[bytes]:
    yield body[:20]
    yield body[20:]


def test_p0_14_decorated_function_is_traced_searched_and_judged(portal: Portal) -> None:
    outcome = run_client(TRACE, portal, portal.key(), EXPERIMENT=f"traced {uuid.uuid4().hex[:8]}")
    assert outcome == {
        "found": True,
        "spans": ["answer", "think"],
        "preview": '"42"',
        "feedback": {"good": True},
        "tag": "red",
        "deleted": 1,
    }


@pytest.mark.parametrize("framing", ["with length", "chunked"])
@pytest.mark.parametrize("name", ["json", "protobuf", "gzip json", "gzip protobuf"])
def test_p0_14_exporter_s_spans_arrive(
    local: Portal,
    experiment: str,
    encodings: dict[str, tuple[str, dict[str, str], bytes]],
    name: str,
    framing: str,
) -> None:
    trace, headers, body = encodings[name]
    headers = headers | {"x-mlflow-experiment-id": experiment}
    log = local.watch()
    data = in_pieces(body) if framing == "chunked" else body
    reply = local.ask("POST", "/v1/traces", data=data, headers=headers)
    assert reply.status_code == 200, reply.text
    assert eventually(lambda: f"tr-{trace}" in found_traces(local, experiment))
    assert log.codes(1, "/v1/traces") == [200]


def test_exporter_without_experiment_is_refused_in_json(local: Portal) -> None:
    body, log = json.dumps(span_document(uuid.uuid4().hex)), local.watch()
    reply = local.ask("POST", "/v1/traces", data=body, headers={"Content-Type": "application/json"})
    assert 400 <= reply.status_code < 500
    assert reply.json()["error_code"]
    assert log.codes(1, "/v1/traces") == [reply.status_code]


def test_exporter_without_a_key_is_a_401(local: Portal) -> None:
    log = local.watch()
    reply = requests.post(f"{local.tracking_uri}/v1/traces", data=b"{}", timeout=60)
    assert (reply.status_code, reply.json()["error_code"]) == (401, "UNAUTHENTICATED")
    assert log.codes(1, "/v1/traces") == [401]
