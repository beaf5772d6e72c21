"""Where experiments keep their artifacts: counted by scheme, in pages, and never without end."""

import pytest

from mlflow_proxy.health import experiments
from mlflow_proxy.health.answers import Probe
from tests.mlflow_proxy.health.answers import with_experiments
from tests.mlflow_proxy.stub import Stub, ok

OURS = "mlflow-artifacts:/1"


def answers() -> dict[str, Probe]:
    return {probe.name: probe for probe in experiments.walk()}


def test_root_behind_the_portal_passes(stub: Stub) -> None:
    stub.script = with_experiments(OURS, "s3://old/1")
    probe = answers()["artifact_root"]
    assert (probe.status, probe.detail) == ("passed", "the newest one is at mlflow-artifacts:/1")
    assert "order_by=creation_time+DESC" in stub.seen[0].target


@pytest.mark.parametrize("location", ["s3://bucket/1", "/srv/mlruns/1", "file:///srv/1"])
def test_root_that_clients_must_reach_themselves_fails(stub: Stub, location: str) -> None:
    stub.script = with_experiments(location, OURS)
    probe = answers()["artifact_root"]
    assert (probe.status, probe.reason) == ("failed", "ARTIFACT_ROOT_EXPOSED")
    assert location in probe.detail
    assert "--default-artifact-root mlflow-artifacts:/" in probe.hint


def test_root_of_an_empty_server_is_not_known(stub: Stub) -> None:
    stub.script = with_experiments()
    assert answers()["artifact_root"].status == "unknown"


def test_locations_are_counted_by_scheme_over_all_pages(stub: Stub) -> None:
    stub.script = with_experiments(*[OURS] * 5, "s3://a/1", "s3://a/2", "/srv/1", "file:///srv/2", page=2)
    probe = answers()["experiment_locations"]
    assert probe.reason == "EXPERIMENTS_ELSEWHERE"
    assert probe.detail == "4 of 9 elsewhere: mlflow-artifacts 5, s3 2, local 2"


def test_locations_all_behind_the_portal_pass(stub: Stub) -> None:
    stub.script = with_experiments(OURS, OURS)
    assert answers()["experiment_locations"].detail == "mlflow-artifacts 2"


def test_locations_are_read_from_a_bounded_number_of_pages(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(experiments, "PAGES", 3)
    stub.script = with_experiments(*[OURS] * 100, page=2)
    probe = answers()["experiment_locations"]
    assert probe.detail == "mlflow-artifacts 6; only the first 6 were looked at"
    assert len(stub.seen) == 1 + 3


@pytest.mark.parametrize("body", [b"<html>", b'{"experiments": 7}', b"[]"])
def test_answer_that_cannot_be_read_leaves_both_open(stub: Stub, body: bytes) -> None:
    stub.reply(ok(body, status="500 No"))
    assert {(probe.status, probe.reason) for probe in answers().values()} == {("unknown", "UPSTREAM_GARBLED")}


@pytest.mark.parametrize(
    ("location", "scheme"),
    [
        ("mlflow-artifacts:/1", "mlflow-artifacts"),
        ("mlflow-artifacts://host/1", "mlflow-artifacts"),
        ("s3://b/1", "s3"),
        ("gs://b/1", "gs"),
        ("file:///x", "local"),
        ("/x", "local"),
        ("./mlruns/1", "local"),
        ("", "local"),
        ("s3://[", "s3"),
    ],
)
def test_scheme_is_read_off_the_location(location: str, scheme: str) -> None:
    assert experiments.scheme_of(location) == scheme
