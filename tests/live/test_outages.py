"""MLflow dies in the middle of a download, stays away and comes back: nobody takes half a file for a whole one."""

import json
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.live.client import environment, start_client
from tests.live.processes import eventually
from tests.live.stack import Portal
from tests.live.wire import MIB, new_folder

pytestmark = pytest.mark.live

# Nobody is done with it in the seconds in which a busy machine does not get around to the kill.
SIZE = 4096 * MIB
SEARCH = "/api/2.0/mlflow/experiments/search?max_results=1"
CLIENT_RETRIES, RESTART_SECONDS = 7, 60
TOO_OLD_SECONDS = 11
DOWNLOAD = """
    try:
        result["path"] = MlflowClient().download_artifacts(os.environ["RUN"], "large", str(here))
    except Exception as error:
        result["error"] = told(error)
"""
PERSEVERE = """
    client = MlflowClient()
    run_id = client.create_run("0", tags={"live": os.environ["MARK"]}).info.run_id
    client.log_metric(run_id, "survived", 1.0)
    result["metric"] = client.get_run(run_id).data.metrics["survived"]
"""


@dataclass
class Outage:
    """What was seen before, during and after."""

    download: dict[str, Any] = field(default_factory=dict)
    received: int = 0
    cut: BaseException | None = None
    replies: dict[str, requests.Response] = field(default_factory=dict)
    persevering: dict[str, Any] = field(default_factory=dict)
    refusals: int = 0
    creations: int = 0
    after: dict[str, Any] = field(default_factory=dict)


@pytest.fixture(scope="module")
def outage(local: Portal, tmp_path_factory: pytest.TempPathFactory) -> Outage:
    seen, mlflow, small = Outage(), local.mlflow, f"/api/2.0/mlflow-artifacts/artifacts/{new_folder()}/small"
    run = local.api("POST", "2.0/mlflow/runs/create", json={"experiment_id": "0"})["run"]["info"]["run_id"]
    large = Path(mlflow.destination, f"0/{run}/artifacts/large")
    large.parent.mkdir(parents=True)
    with large.open("wb") as file:
        file.truncate(SIZE)
    local.ask("PUT", small, data=b"small").raise_for_status()
    try:
        _kill_mid_download(local, seen, run, tmp_path_factory.mktemp("download"))
        _look_around(local, seen, small)
        _come_back(local, seen, tmp_path_factory.mktemp("persevering"))
    finally:
        if mlflow.process is None:
            mlflow.start()
        local.wait_until(lambda: local.ask("GET", SEARCH).ok)
        large.unlink()
    seen.after = {"experiments": local.ask("GET", SEARCH).json()["experiments"]}
    seen.after["small"] = local.ask("GET", small).content
    # By now each worker's last answer of readiness is an old one, from the time when MLflow was away.
    time.sleep(TOO_OLD_SECONDS)
    seen.after["ready"] = _ask_readiness_at_once(local)
    return seen


def _ask_readiness_at_once(local: Portal) -> list[int]:
    with ThreadPoolExecutor(12) as pool:
        asked = [pool.submit(requests.get, f"{local.url}/ready", timeout=60) for _ in range(12)]
        return [reply.result().status_code for reply in asked]


def _kill_mid_download(local: Portal, seen: Outage, run: str, home: Path) -> None:
    """Let a client and a plain connection begin to download, and kill MLflow before either is done."""
    url = f"{local.artifacts}/0/{run}/artifacts/large"
    reply = requests.get(url, headers=local.headers(), timeout=120, stream=True)
    variables = {"MLFLOW_TRACKING_TOKEN": local.key(), "RUN": run, "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}
    client = start_client(DOWNLOAD, home, environment(local.tracking_uri, home, **variables))
    assert eventually(lambda: [path for path in home.rglob("large*") if path.stat().st_size > MIB], patience=60)
    local.mlflow.end(signal.SIGKILL)
    output = client.communicate(timeout=300)[0]
    assert client.returncode == 0, output
    seen.download = json.loads((home / "result.json").read_text())
    try:
        for piece in reply.iter_content(MIB):
            seen.received += len(piece)
    except requests.RequestException as error:
        seen.cut = error


def _look_around(local: Portal, seen: Outage, small: str) -> None:
    # Until every worker has noticed.
    assert eventually(lambda: _ask_readiness_at_once(local) == [503] * 12, patience=60)
    seen.replies = {
        "read": local.ask("GET", SEARCH),
        "write": local.ask("POST", "/api/2.0/mlflow/runs/create", json={"experiment_id": "0"}),
        "download": local.ask("GET", small),
        "upload": local.ask("PUT", f"{small}-too", data=b"too"),
        "ready": requests.get(f"{local.url}/ready", timeout=60),
        "health": requests.get(f"{local.url}/health", timeout=60),
        "mlflow health": requests.get(f"{local.url}/api/health/mlflow", timeout=60),
        "stranger": requests.get(f"{local.tracking_uri}{SEARCH}", timeout=60),
    }


def _come_back(local: Portal, seen: Outage, home: Path) -> None:
    """Start a client while MLflow is away, and MLflow once the client was refused."""
    mark, log = home.name, local.watch()
    variables = {"MLFLOW_TRACKING_TOKEN": local.key(), "MARK": mark}
    client = start_client(PERSEVERE, home, environment(local.tracking_uri, home, **variables))
    assert eventually(lambda: [code for _, code in log.requests("runs/create") if code == 503], patience=60)
    local.mlflow.start()
    output = client.communicate(timeout=400)[0]
    local.wait_until(lambda: local.ask("GET", SEARCH).ok)
    seen.refusals = len([code for _, code in log.requests("runs/create") if code == 503])
    found = local.api(
        "POST", "2.0/mlflow/runs/search", json={"experiment_ids": ["0"], "filter": f"tags.live = '{mark}'"}
    )
    seen.creations = len(found.get("runs", []))
    result = home / "result.json"
    seen.persevering = json.loads(result.read_text()) if result.exists() else {"output": output[-2000:]}


def test_p0_05_client_raises_when_mlflow_dies_in_mid_download(outage: Outage) -> None:
    assert "path" not in outage.download
    assert outage.download["error"]


def test_p0_05_reply_is_cut_where_the_bytes_end(outage: Outage) -> None:
    assert "IncompleteRead" in str(outage.cut)
    assert 0 < outage.received < SIZE


@pytest.mark.parametrize("call", ["read", "write", "download", "upload"])
def test_call_while_mlflow_is_away_is_a_503_that_says_when_to_come_back(outage: Outage, call: str) -> None:
    reply = outage.replies[call]
    assert reply.status_code == 503
    assert reply.json()["error_code"] == "TEMPORARILY_UNAVAILABLE"
    assert reply.json()["reason"] in {"UPSTREAM_REFUSED", "UPSTREAM_PAUSED"}
    assert int(reply.headers["Retry-After"]) > 0


def test_readiness_tells_that_mlflow_is_away_and_health_does_not_care(outage: Outage) -> None:
    failed = {check["name"] for check in outage.replies["ready"].json()["checks"] if not check["passed"]}
    assert outage.replies["ready"].status_code == 503
    assert "mlflow" in failed
    assert "database" not in failed
    assert outage.replies["mlflow health"].status_code == 503
    assert outage.replies["health"].status_code == 200


def test_caller_without_a_key_is_a_401_while_mlflow_is_away(outage: Outage) -> None:
    assert outage.replies["stranger"].status_code == 401


def test_client_s_seven_retries_as_told_by_the_portal_outlast_a_restart(outage: Outage) -> None:
    # The client waits Retry-After instead of its own rising pauses, which would last for four minutes.
    assert CLIENT_RETRIES * int(outage.replies["write"].headers["Retry-After"]) >= RESTART_SECONDS


def test_client_with_default_settings_outlives_a_restart_of_mlflow(outage: Outage) -> None:
    assert outage.persevering == {"metric": 1.0}
    assert 0 < outage.refusals <= 7
    assert outage.creations == 1


def test_readiness_asked_by_many_at_once_is_not_an_answer_from_the_outage(outage: Outage) -> None:
    assert outage.after["ready"] == [200] * 12


def test_everything_is_as_before_once_mlflow_is_back(outage: Outage) -> None:
    assert outage.after["experiments"]
    assert outage.after["small"] == b"small"
