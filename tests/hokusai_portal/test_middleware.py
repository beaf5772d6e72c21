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


@pytest.mark.parametrize("path", ["/health", "/live", "/ready", "/metrics"])
def test_probe_by_address_is_answered(portal, db, settings, path):
    settings.MLFLOW_SERVER_URL = "http://127.0.0.1:9"
    assert portal.get(path, headers={"Host": "10.0.0.7:8000"}).status_code != 400


@pytest.mark.parametrize("path", ["/", "/health/", "/live/x", "/api/health/mlflow", "/admin/"])
def test_other_path_by_address_is_refused(portal, db, path):
    assert portal.get(path, headers={"Host": "10.0.0.7:8000"}).status_code == 400


@pytest.mark.parametrize("allowed", [".example.org", "*"])
def test_probe_by_address_with_a_wildcard_is_answered(portal, settings, allowed):
    settings.ALLOWED_HOSTS = [allowed]
    assert portal.get("/live", headers={"Host": "10.0.0.7:8000"}).status_code == 200
