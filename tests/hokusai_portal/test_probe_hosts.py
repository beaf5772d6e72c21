"""Probes ask by address; everything else by one of our names."""

import pytest


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
