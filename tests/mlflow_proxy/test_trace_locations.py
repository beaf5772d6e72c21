"""The artifact-location case by way of OTLP: MLflow makes tags of a trace from attributes of its root span.

It reads a trace's files from wherever the tag ``mlflow.artifactLocation`` points, and takes it from a span without a
question (store/tracking/sqlalchemy_store.py, log_spans).
"""

import gzip
import json

import pytest

from tests.mlflow_proxy.portal import Portal
from tests.mlflow_proxy.refusals import refused
from tests.mlflow_proxy.stub import Stub
from tests.mlflow_proxy.wire import M, call

TRACES = f"{M}/v1/traces"
PROTOBUF, JSON = {"Content-Type": "application/x-protobuf"}, {"Content-Type": "application/json; charset=utf-8"}
LOCATIONS = ["mlflow.artifactLocation", "mlflow.trace.archiveLocation"]


def field(number: int, content: bytes) -> bytes:
    """Return one length-delimited field of a protobuf message."""
    size, rest = b"", len(content)
    while rest > 0x7F:
        size, rest = size + bytes([rest & 0x7F | 0x80]), rest >> 7
    return bytes([number << 3 | 2]) + size + bytes([rest]) + content


def spans(key: str, value: str) -> bytes:
    """Return an ExportTraceServiceRequest of one root span with one attribute."""
    attribute = field(1, key.encode()) + field(2, field(1, value.encode()))
    span = field(1, bytes(range(16))) + field(2, bytes(range(8))) + field(5, b"root") + field(9, attribute)
    return field(1, field(2, field(2, span)))


def spans_json(key: str, value: str) -> bytes:
    span = {"name": "root", "attributes": [{"key": key, "value": {"stringValue": value}}]}
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).encode()


@pytest.mark.parametrize("tag", LOCATIONS)
def test_artifact_location_in_a_span_is_refused(served: Portal, upstream: Stub, tag: str) -> None:
    body = spans(f"mlflow.traceTag.{tag}", "s3://finance-backups")
    refused(served, upstream, "POST", TRACES, 400, "LOCATION_REFUSED", headers=PROTOBUF, body=body)


def test_artifact_location_in_a_compressed_span_is_refused(served: Portal, upstream: Stub) -> None:
    body = gzip.compress(spans("mlflow.traceTag.mlflow.artifactLocation", "/etc"))
    refused(
        served,
        upstream,
        "POST",
        TRACES,
        400,
        "LOCATION_REFUSED",
        headers=PROTOBUF | {"Content-Encoding": "gzip"},
        body=body,
    )


@pytest.mark.parametrize("escape", [b".", b"\\u002e"])
def test_artifact_location_in_a_span_of_json_is_refused(served: Portal, upstream: Stub, escape: bytes) -> None:
    body = spans_json("mlflow.traceTag.mlflow.artifactLocation", "/etc").replace(b"mlflow.a", b"mlflow" + escape + b"a")
    refused(served, upstream, "POST", TRACES, 400, "LOCATION_REFUSED", headers=JSON, body=body)


@pytest.mark.parametrize("key", ["mlflow.traceTag.team", "mlflow.spanType", "service.name"])
def test_other_attributes_of_a_span_pass(served: Portal, upstream: Stub, key: str) -> None:
    body = spans(key, "s3://free-text")
    assert call(served, "POST", TRACES, headers=PROTOBUF, body=body).status == 200
    assert upstream.seen[0].body == body


def test_half_of_a_character_in_a_span_of_json_passes(served: Portal, upstream: Stub) -> None:
    body = spans_json("team", "x").replace(b'"x"', b'"\\ud800"')
    assert call(served, "POST", TRACES, headers=JSON, body=body).status == 200


def test_other_attributes_of_a_span_of_json_pass(served: Portal, upstream: Stub) -> None:
    body = spans_json("mlflow.traceTag.team", "s3://free-text")
    assert call(served, "POST", TRACES, headers=JSON, body=body).status == 200
    assert upstream.seen[0].body == body


@pytest.mark.parametrize("tag", LOCATIONS[1:])
def test_archive_location_in_the_json_of_a_trace_is_refused(served: Portal, upstream: Stub, tag: str) -> None:
    body = json.dumps({"trace": {"trace_info": {"tags": {tag: "s3://finance-backups"}}}}).encode()
    refused(served, upstream, "POST", f"{M}/api/3.0/mlflow/traces", 400, "LOCATION_REFUSED", body=body)
