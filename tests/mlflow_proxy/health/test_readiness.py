"""Readiness: few questions, asked the way the traffic goes; and one line in the log once MLflow is up."""

from typing import Any

import pytest

from mlflow_proxy.artifacts import stores
from mlflow_proxy.health import mlflow, readiness
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


def test_store_watch_answers_with_the_listing(folder: Any) -> None:
    (probe,) = readiness.StoreWatch().get()
    assert (probe.name, probe.passed, probe.is_critical) == ("artifact_store", True, False)


def test_store_watch_without_the_direct_mode_asks_nobody(folder: Any, settings: Any, forbid: Any) -> None:
    settings.HOKUSAI_ARTIFACT_MODE = "proxy"
    forbid(stores, "hurried")
    assert readiness.StoreWatch().get() == []


def test_store_watch_asks_again_after_a_while_alone(folder: Any, forbid: Any) -> None:
    watch = readiness.StoreWatch()
    first = watch.get()
    forbid(stores, "hurried")
    assert watch.get() == first


def test_store_that_hangs_does_not_hold_readiness_up(s3_stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    looks, hurried = [], stores.hurried
    monkeypatch.setattr(stores, "hurried", lambda: looks.append(1) or hurried())
    monkeypatch.setattr(mlflow, "PROBE_SECONDS", 0.2)
    s3_stub.reply(then="hang")
    watch = readiness.StoreWatch()
    for _ in range(2):
        (probe,) = watch.get()
        assert (probe.status, probe.reason) == ("failed", "PROBE_TIMED_OUT")
        s3_stub.wait(lambda: bool(s3_stub.seen))
    assert len(looks) == 1
    s3_stub.reset()


def test_layout_that_is_unknown_is_logged(stub: Stub, caplog: pytest.LogCaptureFixture) -> None:
    stub.script = like_mlflow(b"4.0.0")
    readiness.verify_layout_when_up(pause_seconds=0.01).join(30)
    assert "mlflow_layout_unknown" in caplog.text
