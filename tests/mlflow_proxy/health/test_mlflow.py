"""Questions to MLflow: each way in which it can be away or wrong has its own word and its own cure."""

import socket

import pytest

from mlflow_proxy.health import mlflow
from mlflow_proxy.health.answers import Probe, ask
from tests.mlflow_proxy.health.answers import ARTIFACTS_OFF, MISSING_ROUTE, like_mlflow
from tests.mlflow_proxy.stub import Answer, Stub, ok


def api() -> Probe:
    return ask("mlflow", mlflow.ask_api)


def test_api_that_answers_passes(stub: Stub) -> None:
    assert api().passed


def test_api_is_asked_with_the_host_of_the_traffic(stub: Stub) -> None:
    api()
    seen = stub.seen[0]
    assert seen.target.startswith("/mlflow/api/2.0/mlflow/experiments/search")
    assert (seen.header("Host"), seen.header("X-Forwarded-For")) == (stub.netloc, "unknown")


@pytest.mark.parametrize(
    ("answer", "reason", "cure"),
    [
        (ok(b"Invalid Host header - possible attack", status="403 Forbidden"), "UPSTREAM_HOST_REJECTED", "--allowed"),
        (ok(b"no", status="403 Forbidden"), "UPSTREAM_ANSWERED_ERROR", "log"),
        (ok(b"", status="401 Unauthorized"), "UPSTREAM_DEMANDS_LOGIN", "without its own login"),
        (ok(b'{"reason":"LOOP_DETECTED"}', status="508 Loop"), "LOOP_DETECTED", "name the MLflow server"),
        (ok(b"", status="404 Not Found"), "UPSTREAM_ANSWERED_ERROR", "MLFLOW_STATIC_PREFIX"),
        (ok(b"", status="500 No"), "UPSTREAM_ANSWERED_ERROR", "log"),
        (b"junk\r\n\r\n", "UPSTREAM_GARBLED", "MLFLOW_SERVER_URL"),
    ],
)
def test_api_that_answers_badly_says_why_and_what_to_do(stub: Stub, answer: bytes, reason: str, cure: str) -> None:
    stub.reply(answer, then="close")
    probe = api()
    assert (probe.status, probe.reason) == ("failed", reason)
    assert cure in probe.hint


def test_api_asks_with_the_hop_header_so_that_a_loop_shows(stub: Stub) -> None:
    api()
    assert stub.seen[0].header("X-Hokusai-Portal") == "1"


@pytest.mark.parametrize(("ours", "theirs", "named"), [("/mlflow", "", "empty"), ("", "/mlflow", "/mlflow")])
def test_api_under_another_prefix_names_it(stub: Stub, settings, ours: str, theirs: str, named: str) -> None:
    settings.MLFLOW_STATIC_PREFIX = ours
    stub.script = like_mlflow(prefix=theirs)
    probe = api()
    assert probe.reason == "UPSTREAM_PREFIX_WRONG"
    assert f"MLFLOW_STATIC_PREFIX to {named}" in probe.hint


def test_api_refused_says_that_nothing_listens(stub: Stub) -> None:
    with stub.not_listening():
        probe = api()
    assert probe.reason == "UPSTREAM_REFUSED"
    assert "Nothing listens" in probe.hint


def test_api_of_an_unknown_name_says_dns(settings) -> None:
    settings.MLFLOW_SERVER_URL = "http://mlflow.invalid:5000"
    probe = api()
    assert probe.reason == "UPSTREAM_NAME_UNKNOWN"
    assert "DNS" in probe.hint


def test_api_behind_a_firewall_says_security_group(settings) -> None:
    settings.HOKUSAI_CONNECT_TIMEOUT = 0.2
    with socket.socket() as listener, socket.socket() as first:
        # A full backlog drops the next connection's SYN, as a security group does.
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        first.connect(listener.getsockname())
        settings.MLFLOW_SERVER_URL = f"http://127.0.0.1:{listener.getsockname()[1]}"
        probe = api()
    assert probe.reason == "UPSTREAM_UNREACHABLE"
    assert "security groups" in probe.hint


def test_api_that_hangs_ends_at_the_deadline(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mlflow, "PROBE_SECONDS", 0.2)
    stub.reply(then="hang")
    assert api().reason == "UPSTREAM_TIMED_OUT"


def test_layout_of_the_known_series_passes(stub: Stub) -> None:
    stub.script = like_mlflow()
    assert ask("mlflow_layout", mlflow.ask_layout).passed
    assert stub.seen[0].target == "/mlflow/version"
    assert stub.seen[1].target.startswith("/api/2.0/mlflow-artifacts/artifacts/")


@pytest.mark.parametrize("version", [b"3.16.9", b"3.170.0", b"4.0.0", b"<html>", b""])
def test_layout_of_another_version_fails(stub: Stub, version: bytes) -> None:
    stub.script = like_mlflow(version)
    assert mlflow.ask_layout().reason == "UPSTREAM_VERSION_UNKNOWN"


def test_layout_without_native_artifacts_fails(stub: Stub) -> None:
    stub.script = like_mlflow(native=MISSING_ROUTE)
    assert mlflow.ask_layout().reason == "UPSTREAM_LAYOUT_UNKNOWN"


def test_artifacts_of_a_server_that_serves_them_pass(stub: Stub) -> None:
    stub.script = like_mlflow()
    assert mlflow.ask_artifacts().status == "passed"


def test_artifacts_of_a_server_without_the_flag_say_so(stub: Stub) -> None:
    stub.script = like_mlflow(native=ARTIFACTS_OFF)
    outcome = mlflow.ask_artifacts()
    assert (outcome.status, outcome.reason) == ("failed", "UPSTREAM_ARTIFACTS_OFF")
    assert "--serve-artifacts" in outcome.hint


def test_walk_stops_where_mlflow_is_away(stub: Stub) -> None:
    with stub.not_listening():
        assert [probe.name for probe in mlflow.walk()] == ["mlflow"]


def test_call_sends_a_body_with_its_length(stub: Stub) -> None:
    stub.script = lambda _: Answer([ok(b"x" * 10)])
    assert mlflow.call("PUT", "/x", body=b"12345", limit=4) == (200, b"xxxx")
    assert (stub.seen[0].header("Content-Length"), stub.seen[0].body) == ("5", b"12345")
