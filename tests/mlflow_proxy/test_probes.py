"""Probes: one question each, asked the way the traffic goes, answered in a closed word."""

import pytest
from django.db import OperationalError, connection

from mlflow_proxy.health import probes
from mlflow_proxy.routes import MLFLOW_SERIES
from tests.mlflow_proxy.stub import Answer, Seen, Stub, ok

MISSING_FILE = ok(b'{"error_code":"RESOURCE_DOES_NOT_EXIST","message":"m"}', status="404 Not Found")
MISSING_ROUTE = ok(b'{"detail":"Not Found"}', status="404 Not Found")


def mlflow(version: bytes = f"{MLFLOW_SERIES}.2".encode(), native: bytes = MISSING_FILE) -> object:
    def script(seen: Seen) -> Answer:
        return Answer([ok(version) if seen.target.endswith("/version") else native])

    return script


def test_probe_mlflow_that_answers_passes(stub: Stub) -> None:
    assert probes.probe_mlflow().passed


def test_probe_mlflow_asks_an_api_path_with_the_host_of_the_traffic(stub: Stub) -> None:
    probes.probe_mlflow()
    seen = stub.seen[0]
    assert seen.target.startswith("/mlflow/api/2.0/mlflow/experiments/search")
    assert (seen.header("Host"), seen.header("X-Forwarded-For")) == (stub.netloc, "unknown")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (ok(b"Invalid Host header", status="403 Forbidden"), "UPSTREAM_HOST_REJECTED"),
        (ok(b"", status="404 Not Found"), "UPSTREAM_ANSWERED_ERROR"),
        (ok(b"", status="500 No"), "UPSTREAM_ANSWERED_ERROR"),
        (b"junk\r\n\r\n", "UPSTREAM_GARBLED"),
    ],
)
def test_probe_mlflow_that_answers_badly_says_why(stub: Stub, answer: bytes, reason: str) -> None:
    stub.reply(answer, then="close")
    probe = probes.probe_mlflow()
    assert (probe.passed, probe.reason) == (False, reason)
    assert probe.hint


def test_probe_mlflow_that_is_not_there_never_raises(stub: Stub) -> None:
    with stub.not_listening():
        assert probes.probe_mlflow().reason == "UPSTREAM_REFUSED"


def test_probe_mlflow_that_hangs_ends_at_the_deadline(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "PROBE_SECONDS", 0.2)
    stub.reply(then="hang")
    assert probes.probe_mlflow().reason == "UPSTREAM_TIMED_OUT"


def test_probe_layout_of_the_known_series_passes(stub: Stub) -> None:
    stub.script = mlflow()  # type: ignore[assignment]
    assert probes.probe_layout().passed
    assert [seen.target.partition("artifacts/")[0] for seen in stub.seen] == [
        "/mlflow/version",
        "/api/2.0/mlflow-artifacts/",
    ] or stub.seen[1].target.startswith("/api/2.0/mlflow-artifacts/artifacts/")


@pytest.mark.parametrize("version", [b"3.16.9", b"3.170.0", b"4.0.0", b"<html>", b""])
def test_probe_layout_of_another_version_fails(stub: Stub, version: bytes) -> None:
    stub.script = mlflow(version)  # type: ignore[assignment]
    assert probes.probe_layout().reason == "UPSTREAM_VERSION_UNKNOWN"


def test_probe_layout_without_native_artifacts_fails(stub: Stub) -> None:
    stub.script = mlflow(native=MISSING_ROUTE)  # type: ignore[assignment]
    assert probes.probe_layout().reason == "UPSTREAM_LAYOUT_UNKNOWN"


@pytest.mark.django_db
def test_probe_database_that_answers_passes() -> None:
    assert probes.probe_database().passed


def test_probe_database_that_is_gone_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone() -> None:
        raise OperationalError("planted address")

    monkeypatch.setattr(connection, "cursor", gone)
    probe = probes.probe_database()
    assert (probe.passed, probe.reason) == (False, "DATABASE_UNAVAILABLE")
    assert "planted" not in probe.detail


@pytest.mark.django_db
def test_probe_all_asks_each_question_once(stub: Stub) -> None:
    assert [probe.name for probe in probes.probe_all()] == ["database", "mlflow", "mlflow_layout"]


def test_layout_watch_waits_until_mlflow_is_up(stub: Stub) -> None:
    stub.script = mlflow()  # type: ignore[assignment]
    with stub.not_listening():
        watch = probes.verify_layout_when_up(pause_seconds=0.01)
        assert watch.is_alive()
    watch.join(30)
    assert not watch.is_alive()
    assert any(seen.target == "/mlflow/version" for seen in stub.seen)
