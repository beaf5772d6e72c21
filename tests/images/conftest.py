"""What runs for the tests of the images, and the table that ends their report."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.images import engine
from tests.images.compose import START_SECONDS, Project
from tests.live.processes import eventually

STEPS: list[str] = []


def verify_registry(url: str, key: str, **more: str) -> None:
    """Walk the real registration with the stock client of this machine; each step becomes a row of the table."""
    environment = {"PATH": "/usr/bin:/bin", "HOKUSAI_API_KEY": key, "HOKUSAI_DATA_DIR": str(engine.FOLDER / "client")}
    command = [sys.executable, engine.ROOT / "manage.py", "verify_registry", "--url", url, "--json"]
    done = subprocess.run(command, env=environment | more, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    steps = json.loads(done.stdout)["steps"]
    STEPS.extend(f"{step['state']:7} {step['step']}: {step['detail']}" for step in steps)
    assert done.returncode == 0, steps


@pytest.fixture(scope="session", autouse=True)
def _nothing_stays() -> Iterator[None]:
    """End every container of the store: those of a run that was cut off, and ours, whatever became of the tests."""
    _end_all()
    yield
    _end_all()


def _end_all() -> None:
    engine.podman("rm", "--force", "--all", "--time", "1")
    engine.podman("volume", "prune", "--force")


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("images")


@pytest.fixture(scope="session")
def project(folder: Path) -> Iterator[Project]:
    project = Project(folder)
    try:
        project.start()
        if not eventually(project.is_ready, START_SECONDS):
            pytest.fail(project.tails())
        yield project
    except engine.CommandFailedError as error:
        pytest.fail(f"{error}\n{project.tails()}")
    finally:
        project.end()


@pytest.fixture(scope="session")
def client(project: Project) -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    session.verify = str(project.certificate)
    session.headers["Authorization"] = f"Bearer {project.key()}"
    return session


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say in one line a test what passed, and how the registration went step by step."""
    reports = [
        report
        for outcome in ("passed", "failed", "error")
        for report in terminalreporter.stats.get(outcome, [])
        if "tests/images/" in report.nodeid and (report.when == "call" or report.failed)
    ]
    if not reports:
        return
    terminalreporter.section("images")
    for report in sorted(reports, key=lambda report: report.nodeid):
        name = report.nodeid.rpartition("::")[2].removeprefix("test_").replace("_", " ")
        terminalreporter.write_line(f"{report.outcome:7} {report.duration:5.1f} s  {name}")
    if STEPS:
        terminalreporter.section("verify_registry")
        for step in STEPS:
            terminalreporter.write_line(step)
