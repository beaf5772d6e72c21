"""The worker on PostgreSQL: one at a time across processes, and a restart of the database is waited out."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.live.conftest import Stack
from tests.live.processes import ROOT, Program, eventually, json_lines
from tests.live.stack import ComponentMissingError, Database, Portal

pytestmark = pytest.mark.live

CHECK = """
import sys
import django
django.setup()
from mlflow_proxy.health import monitor, subjects
def ask_all(on_answer):
    print("asking", flush=True)
    sys.stdin.read()
    return []
subjects.ask_all = ask_all
print("none" if monitor.check("test") is None else "made", flush=True)
"""


class Worker(Program):
    """A worker in the environment of a portal."""

    def __init__(self, portal: Portal, folder: Path, **more: str) -> None:
        command: list[str | Path] = [sys.executable, ROOT / "manage.py", "run_worker"]
        super().__init__("worker", command, portal.environment | more, folder)

    def events(self, name: str) -> list[dict[str, Any]]:
        return [line for line in json_lines(self.log.read_text(errors="replace")) if line["event"] == name]


def begin_check(portal: Portal) -> subprocess.Popen[str]:
    """Start a check in a process of its own; it asks until its input ends."""
    environment = portal.environment | {"DJANGO_SETTINGS_MODULE": "hokusai_portal.settings"}
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-c", CHECK], cwd=ROOT, env=environment, **pipes)


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_two_processes_do_not_check_at_once(s3_direct: Portal) -> None:
    with begin_check(s3_direct) as first:
        assert line_of(first) == "asking"
        with begin_check(s3_direct) as second:
            assert line_of(second) == "none"
        first.communicate()


def test_lock_of_a_killed_process_is_free_at_once(s3_direct: Portal) -> None:
    with begin_check(s3_direct) as first:
        assert line_of(first) == "asking"
        first.kill()
    with begin_check(s3_direct) as second:
        assert line_of(second) == "asking"
        second.communicate()


@pytest.fixture
def own_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """A server that a test may stop."""
    monkeypatch.delenv("TEST_DATABASE_URL", raising=False)
    database = Database(tmp_path)
    try:
        database.start()
    except ComponentMissingError as error:
        pytest.skip(str(error))
    yield database
    database.end()


def test_worker_outlives_a_restart_of_the_database(stack: Stack, own_database: Database, tmp_path: Path) -> None:
    database = own_database.create("worker")
    portal = Portal("portal-of-the-worker", tmp_path, mlflow=stack.local.mlflow, database=database)
    portal.manage("migrate", "--verbosity=0")
    worker = Worker(portal, tmp_path, HOKUSAI_STORAGE_CHECK_SECONDS="30")
    server = own_database.program
    assert server is not None
    worker.start()
    try:
        worker.wait_until(lambda: worker.events("job_finished"))
        server.end()
        assert eventually(lambda: worker.events("job_waits_for_database"), 60)
        server.start()
        server.wait_until(own_database._is_up)
        finished = len(worker.events("job_finished"))
        assert eventually(lambda: len(worker.events("job_finished")) > finished, 120)
        assert "Traceback" not in worker.log.read_text(errors="replace")
    finally:
        worker.end()
    assert worker.events("worker_stopped")
