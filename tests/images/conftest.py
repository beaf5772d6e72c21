"""What runs for the tests of the images, and the table that ends their report."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.images import engine
from tests.live.processes import json_lines

STEPS: list[str] = []


def verify_registry(url: str, key: str, **more: str) -> None:
    """Walk the real registration with the stock client of this machine; each step becomes a row of the table."""
    environment = {"PATH": "/usr/bin:/bin", "HOKUSAI_API_KEY": key, "HOKUSAI_DATA_DIR": str(engine.FOLDER / "client")}
    command = [sys.executable, engine.ROOT / "manage.py", "verify_registry", "--url", url, "--json"]
    done = subprocess.run(command, env=environment | more, capture_output=True, text=True, check=False)
    document = json_lines(done.stdout.replace("\n", " "))
    assert document, done.stdout + done.stderr
    STEPS.extend(f"{step['state']:7} {step['step']}: {step['detail']}" for step in document[0]["steps"])
    assert done.returncode == 0, done.stdout


@pytest.fixture(scope="session", autouse=True)
def _nothing_stays() -> Iterator[None]:
    """End every container of the store, whatever became of the tests."""
    yield
    engine.podman("rm", "--force", "--all", "--time", "1")


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("images")


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
