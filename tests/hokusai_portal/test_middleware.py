"""Request ids: one on every reply, the same as in the log and upstream, and never the caller's own."""

import uuid

import pytest


@pytest.mark.parametrize("path", ["/", "/health", "/nowhere", "/api/mlflow/x"])
def test_request_id_is_on_every_reply(portal, db, path):
    assert uuid.UUID(portal.get(path)["X-Request-ID"])


def test_request_id_differs_from_request_to_request(portal):
    assert portal.get("/health")["X-Request-ID"] != portal.get("/health")["X-Request-ID"]


@pytest.mark.parametrize("identifier", ["trace-4711", "x" * 300, "ä"])
@pytest.mark.parametrize("name", ["X-Request-ID", "X-Correlation-ID"])
def test_request_id_of_the_caller_is_not_believed(portal, log_output, name, identifier):
    response = portal.get("/health", headers={name: identifier})
    assert uuid.UUID(response["X-Request-ID"])
    assert identifier not in log_output.getvalue()


def test_request_id_is_the_one_in_the_log(portal, log_output):
    response = portal.get("/health")
    assert {line["request_id"] for line in log_output.lines} == {response["X-Request-ID"]}


def test_request_id_is_the_one_that_mlflow_is_told(portal, mlflow, reader, bearer):
    response = portal.get("/api/mlflow/api/2.0/mlflow/experiments/search", headers=bearer(reader))
    assert mlflow.log[0][0].headers["X-Request-ID"] == response["X-Request-ID"]


def test_trace_of_the_caller_is_on_every_line_of_its_request_and_on_no_other(portal, log_output):
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    portal.get("/health", headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"})
    traced = [line.get("trace_id") for line in log_output.lines if line["event"] == "request_finished"]
    portal.get("/health")
    both = [line.get("trace_id") for line in log_output.lines if line["event"] == "request_finished"]
    assert (traced, both) == ([trace], [trace, None])
