"""The embedded stack of ``make run``: starts from nothing, says how to use it, starts again, and ends as a whole."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.live.client import environment, run_client, start_client
from tests.live.conftest import Stack
from tests.live.processes import (
    ROOT,
    SYSTEM_PATH,
    Program,
    command_line,
    descendants,
    eventually,
    free_ports,
    group_members,
    is_running,
    signal_group,
)

pytestmark = pytest.mark.live

LAST_WORDS = "Ctrl-C stops all three."
SCRIPT = """
    import numpy as np
    from sklearn.linear_model import LinearRegression
    X = np.arange(6).reshape(-1, 1)
    mlflow.set_experiment("first steps")
    with mlflow.start_run() as run:
        model = LinearRegression().fit(X, X[:, 0])
        mlflow.log_metric("score", model.score(X, X[:, 0]))
        info = mlflow.sklearn.log_model(
            model, name="model", pip_requirements=["scikit-learn"], input_example=X[:1], registered_model_name="first"
        )
    result["predicted"] = round(float(mlflow.pyfunc.load_model("models:/first/1").predict(X[5:])[0]), 6)
"""


@dataclass
class Life:
    """Two starts of one embedded stack, as seen from outside."""

    first: str = ""
    second: str = ""
    exports: dict[str, str] = field(default_factory=dict)
    script: dict[str, Any] = field(default_factory=dict)
    pages: dict[str, int] = field(default_factory=dict)
    taken: dict[str, subprocess.CompletedProcess[str]] = field(default_factory=dict)
    stopped_with: int | None = None
    left_over: list[str] = field(default_factory=list)
    found_again: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    ended_with: int | None = None
    left_over_again: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def life(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Life:
    folder = tmp_path_factory.mktemp("embedded")
    portal_port, mlflow_port = free_ports(2)
    variables = {
        "PATH": SYSTEM_PATH,
        "HOME": str(folder),
        "HOKUSAI_DATA_DIR": str(folder / "data"),
        "PORTAL_PORT": str(portal_port),
        "MLFLOW_PORT": str(mlflow_port),
    }
    program = Program("embedded", [sys.executable, "-m", "hokusai_portal.stack"], variables, folder)
    life, url = Life(), f"http://127.0.0.1:{portal_port}"
    try:
        _first_life(program, life, url, folder)
        program.log.rename(folder / "first.log")
        _second_life(program, life, folder)
    finally:
        for group in {os.getpgid(pid) for pid in descendants(program.pid)} if program.process else ():
            signal_group(group, signal.SIGKILL)
        program.end(signal.SIGKILL)
    return life


def _first_life(program: Program, life: Life, url: str, folder: Path) -> None:
    program.start()
    program.wait_until(lambda: LAST_WORDS in program.log.read_text())
    life.first = program.log.read_text()
    life.exports = dict(re.findall(r"^\s*export (\w+)=(\S+)$", life.first, re.MULTILINE))
    home = folder / "home"
    home.mkdir()
    client = start_client(SCRIPT, home, environment("", home, **life.exports))
    life.pages = {path: requests.get(f"{url}{path}", timeout=60).status_code for path in ("/", "/admin/", "/ready")}
    for name in ("PORTAL_PORT", "MLFLOW_PORT"):
        other = {"PORTAL_PORT": "MLFLOW_PORT", "MLFLOW_PORT": "PORTAL_PORT"}[name]
        again = program.environment | {other: str(free_ports(1)[0]), "HOKUSAI_DATA_DIR": str(folder / "other")}
        life.taken[name] = subprocess.run(
            program.command, env=again, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
        )
    output = client.communicate(timeout=300)[0]
    life.script = json.loads((home / "result.json").read_text()) if client.returncode == 0 else {"output": output}
    life.stopped_with, life.left_over = _stop(program, lambda: os.kill(program.pid, signal.SIGTERM))


def _second_life(program: Program, life: Life, folder: Path) -> None:
    program.start()
    program.wait_until(lambda: LAST_WORDS in program.log.read_text())
    script = 'result["found"] = [one.name for one in MlflowClient().search_experiments()]'
    uri, key = life.exports["MLFLOW_TRACKING_URI"], life.exports["MLFLOW_TRACKING_TOKEN"]
    life.found_again = run_client(script, uri, key)["found"]
    listed = subprocess.run(
        [sys.executable, ROOT / "manage.py", "list_keys", "--quiet"],
        env=program.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    life.keys = listed.stdout.split()
    mlflow = next(pid for pid in descendants(program.pid) if "mlflow server" in command_line(pid))
    life.ended_with, life.left_over_again = _stop(program, lambda: os.killpg(os.getpgid(mlflow), signal.SIGKILL))
    life.second = program.log.read_text()


def _stop(program: Program, do: Callable[[], None]) -> tuple[int | None, list[str]]:
    """Do what should end the program; return its status and the command lines of what outlives it."""
    family = descendants(program.pid)
    groups = {program.pid}
    for pid in family:
        with contextlib.suppress(ProcessLookupError):
            groups.add(os.getpgid(pid))
    do()
    assert program.process is not None
    try:
        status: int | None = program.process.wait(timeout=90)
    except subprocess.TimeoutExpired:
        status = None

    def survivors() -> list[int]:
        return [pid for pid in {*family, *(one for group in groups for one in group_members(group))} if is_running(pid)]

    eventually(lambda: not survivors())
    left = [command_line(pid) for pid in survivors()]
    for pid in survivors():
        os.kill(pid, signal.SIGKILL)
    program.process = None if status is not None else program.process
    return status, left


def test_first_start_prints_addresses_account_and_the_two_exports(life: Life) -> None:
    assert set(life.exports) == {"MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_TOKEN"}
    portal = life.exports["MLFLOW_TRACKING_URI"].removesuffix("/api/mlflow")
    assert f"{portal}/admin/" in life.first
    assert re.search(r"Admin account +admin\n", life.first)
    assert re.search(r"Password +\S{12,} ", life.first)


def test_pages_answer_once_it_says_ready(life: Life) -> None:
    assert (life.pages["/"], life.pages["/ready"]) == (200, 200)
    assert life.pages["/admin/"] == 200


def test_ten_line_script_works_with_just_the_two_exports(life: Life) -> None:
    assert life.script == {"predicted": 5.0}


@pytest.mark.parametrize("name", ["PORTAL_PORT", "MLFLOW_PORT"])
def test_taken_port_is_named_with_the_variable_that_moves_it(life: Life, name: str) -> None:
    done = life.taken[name]
    assert done.returncode == 1
    assert re.search(r"Port \d+ is taken", done.stdout)
    assert f"{name}=" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_termination_ends_all_and_is_a_success(life: Life) -> None:
    assert (life.stopped_with, life.left_over) == (0, [])


def test_second_start_finds_what_the_first_left_and_makes_no_new_account_or_key(life: Life) -> None:
    assert "Password " not in life.second
    assert len(life.keys) == 1
    assert life.exports["MLFLOW_TRACKING_TOKEN"] not in life.second
    assert "first steps" in life.found_again


def test_end_of_mlflow_ends_the_others_and_says_so(life: Life) -> None:
    assert "One of the three ended by itself" in life.second
    assert (life.ended_with, life.left_over_again) == (1, [])


def test_output_of_a_start_has_no_traceback(life: Life) -> None:
    assert "Traceback" not in life.first
