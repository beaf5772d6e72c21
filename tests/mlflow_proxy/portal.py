"""Starts the real portal under real gunicorn in a folder of its own, and issues keys for it on the command line."""

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.mlflow_proxy.stub import Stub

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 30


@dataclass
class Home:
    """A data folder, migrated, with keys by the name of their holder."""

    folder: Path
    keys: dict[str, str]

    def environment(self, **more: str) -> dict[str, str]:
        """Return variables that owe nothing to the shell of whoever runs the suite."""
        inherited = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
        own = {"HOKUSAI_DATA_DIR": str(self.folder), "HOME": str(self.folder)}
        return inherited | own | {"DJANGO_SETTINGS_MODULE": "hokusai_portal.settings"} | more

    def manage(self, *arguments: str) -> str:
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment(),
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    def issue(self, name: str, *arguments: str) -> str:
        self.keys[name] = self.manage("issue_key", "--name", name, "--quiet", *arguments).strip()
        return self.keys[name]


@dataclass
class Portal:
    """A running portal: where it listens, its home, and the file that holds its whole output."""

    port: int
    home: Home
    log_path: Path
    process: subprocess.Popen[bytes]

    @property
    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    @property
    def netloc(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def worker_pids(self) -> list[int]:
        return [
            int(pid) for pid in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        ]

    def events(self, since: int = 0) -> list[dict[str, Any]]:
        """Return the log events written after the log had ``since`` characters."""
        return [json.loads(line) for line in self.log[since:].splitlines() if line.startswith("{") and line[-1] == "}"]

    def wait_for_event(self, since: int, **facts: object) -> dict[str, Any]:
        """Return the first event with these facts after the log had ``since`` characters."""

        def find() -> dict[str, Any] | None:
            return next((event for event in self.events(since) if facts.items() <= event.items()), None)

        return eventually(find, lambda: f"no event with {facts} among {self.events(since)}")


def eventually[T](find: Callable[[], T | None], complaint: Callable[[], str] | str = "it never happened") -> T:
    """Return the first truthy result; fails the test when there never is one."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := find()):
        assert time.monotonic() < deadline, complaint if isinstance(complaint, str) else complaint()
        time.sleep(0.02)
    return found


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def running(home: Home, upstream: Stub, name: str, **variables: str) -> Iterator[Portal]:
    """Start gunicorn as the embedded stack does, wait until it answers, and stop it in the end."""
    # A portal of a session or module starts in the middle of it, when the script is still that of the test before.
    upstream.reset()
    port, log_path = free_port(), home.folder / f"{name}.log"
    fast = {"HOKUSAI_USAGE_FLUSH_SECONDS": "0.2", "HOKUSAI_WEB_WORKERS": "1"}
    environment = home.environment(PORTAL_PORT=str(port), MLFLOW_SERVER_URL=upstream.url, **(fast | variables))
    command = [sys.executable, "-m", "gunicorn", "-c", "hokusai_portal/gunicorn.conf.py"]
    workers = int(environment["HOKUSAI_WEB_WORKERS"])
    with log_path.open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT)
    portal = Portal(port, home, log_path, process)
    try:
        # The first worker asks MLflow for its version once; only then is the upstream quiet. It answers before the
        # others are forked.
        eventually(
            lambda: _is_answering(portal) and "mlflow_layout_" in portal.log and len(portal.worker_pids) == workers,
            lambda: f"the portal did not start:\n{portal.log}",
        )
        yield portal
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _is_answering(portal: Portal) -> bool:
    if portal.process.poll() is not None:
        raise AssertionError(f"the portal ended:\n{portal.log}")
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", portal.port), 5) as probe:
        probe.sendall(f"GET /live HTTP/1.1\r\nHost: {portal.netloc}\r\nConnection: close\r\n\r\n".encode())
        return re.match(rb"HTTP/1\.1 200 ", probe.recv(4096)) is not None
    return False
