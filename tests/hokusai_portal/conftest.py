"""What the tests of the composition share: an MLflow to ask and one that is down."""

import socket

import pytest
from django.contrib.auth.models import User

from mlflow_proxy.health import readiness

SEARCH = "/mlflow/api/2.0/mlflow/experiments/search"
LAYOUT_PROBE = "/api/2.0/mlflow-artifacts/artifacts/hokusai-portal-layout-probe"


@pytest.fixture(autouse=True)
def _no_recent_answers(monkeypatch):
    """Readiness remembers for a second, which is longer than most tests."""
    monkeypatch.setattr(readiness, "recent_answers", readiness.RecentAnswers())


@pytest.fixture(autouse=True)
def _patient_probes(monkeypatch):
    """What answers is a thread of this process, and stands still with it."""
    monkeypatch.setattr("mlflow_proxy.health.mlflow.PROBE_SECONDS", 30.0)


@pytest.fixture
def upstream(httpserver, settings):
    """A server in MLflow's place that knows nothing yet."""
    settings.MLFLOW_SERVER_URL = httpserver.url_for("").rstrip("/")
    return httpserver


@pytest.fixture
def mlflow(upstream):
    """One that answers like MLflow 3.17 with a static prefix."""
    upstream.expect_request(SEARCH).respond_with_json({"experiments": []})
    upstream.expect_request("/mlflow/version").respond_with_data("3.17.2")
    upstream.expect_request(LAYOUT_PROBE).respond_with_json({"error_code": "RESOURCE_DOES_NOT_EXIST"}, status=404)
    return upstream


@pytest.fixture
def mlflow_down(settings):
    """An address where nobody listens, while it is held."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        settings.MLFLOW_SERVER_URL = f"http://127.0.0.1:{held.getsockname()[1]}"
        yield settings.MLFLOW_SERVER_URL


@pytest.fixture
def staff(portal, db):
    """The client of somebody with a session of the admin."""
    portal.force_login(User.objects.create(username="root", is_staff=True, is_superuser=True))
    return portal
