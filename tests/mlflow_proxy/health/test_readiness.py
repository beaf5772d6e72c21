"""Readiness: few questions, asked the way the traffic goes; and one line in the log once MLflow is up."""

import pytest

from mlflow_proxy.health import readiness
from tests.mlflow_proxy.health.answers import like_mlflow
from tests.mlflow_proxy.stub import Stub


@pytest.mark.django_db
def test_probe_all_asks_each_question_once(stub: Stub) -> None:
    assert [probe.name for probe in readiness.probe_all()] == ["database", "mlflow", "mlflow_layout"]


def test_layout_watch_waits_until_mlflow_is_up(stub: Stub) -> None:
    stub.script = like_mlflow()
    with stub.not_listening():
        watch = readiness.verify_layout_when_up(pause_seconds=0.01)
        assert watch.is_alive()
    watch.join(30)
    assert not watch.is_alive()
    assert any(seen.target == "/mlflow/version" for seen in stub.seen)
