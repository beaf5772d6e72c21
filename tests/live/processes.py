"""Starts, watches and ends programs on free loopback ports, each in a process group and with a log of its own."""

import contextlib
import itertools
import json
import os
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import requests

ROOT = Path(__file__).resolve().parents[2]
CLIENT_PYTHON = ROOT / ".venv-mlflow" / "bin" / "python"
SYSTEM_PATH = os.pathsep.join(("/usr/local/bin", "/usr/bin", "/bin"))
PATIENCE_SECONDS = 150

# Below the kernel's range for outgoing connections, and at another place for each of several runs at a time.
_candidates = itertools.count(12000 + secrets.randbelow(8000))


class NotStartedError(Exception):
    """A program ended early or did not get ready; carries the tail of its log."""


class Program:
    """A child in its own process group; everything that it prints goes to ``log``."""

    def __init__(self, name: str, command: list[str | Path], environment: dict[str, str], folder: Path) -> None:
        self.name = name
        self.command = [str(word) for word in command]
        self.environment = environment
        self.log = folder / f"{name}.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                env=self.environment,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def tail(self, count: int = 10) -> str:
        lines = self.log.read_text(errors="replace").splitlines()[-count:] if self.log.exists() else []
        short = "\n".join(line if len(line) < 250 else f"{line[:250]} …" for line in lines)
        return f"--- the end of {self.name}'s log ---\n{short}\n"

    def wait_until(self, is_ready: Callable[[], bool]) -> None:
        """Poll until ready; raises NotStartedError with the tail of the log."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            if self.process is not None and self.process.poll() is not None:
                raise NotStartedError(f"{self.name} ended with status {self.process.returncode}\n{self.tail()}")
            if is_ready():
                return
            time.sleep(0.1)
        raise NotStartedError(f"{self.name} is not ready after {PATIENCE_SECONDS} s\n{self.tail()}")

    def end(self, number: int = signal.SIGTERM, patience: float = 15) -> None:
        """Signal the whole group, and kill what is left of it after ``patience`` seconds."""
        if self.process is None:
            return
        for signal_number in (number, signal.SIGKILL):
            signal_group(self.pid, signal_number)
            if eventually(lambda: not group_members(self.pid), patience):
                break
        self.process.wait()
        self.process = None


def signal_group(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)


def group_members(group: int) -> list[int]:
    """Return the processes of a group that still run; a zombie does not."""
    members = []
    for pid, fields in _process_table():
        if int(fields[2]) == group and fields[0] != "Z":
            members.append(pid)
    return members


def children(parent: int) -> list[int]:
    return sorted(pid for pid, fields in _process_table() if int(fields[1]) == parent and fields[0] != "Z")


def descendants(parent: int) -> list[int]:
    found = children(parent)
    return found + [pid for child in found for pid in descendants(child)]


def _process_table() -> Iterator[tuple[int, list[str]]]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            # The name stands in brackets and may hold anything: state, parent and group come after it.
            yield int(entry.name), stat.rpartition(")")[2].split()


def eventually(holds: Callable[[], Any], patience: float = 30) -> Any:
    """Return the first truthy answer, or the last one when patience ends."""
    deadline = time.monotonic() + patience
    while not (answer := holds()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return answer


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on and that were not returned before; so is each one 10,000 above."""
    found: list[int] = []
    while len(found) < count:
        port = next(_candidates)
        if all(_is_free(one) for one in (port, port + 10000)):
            found.append(port)
    return found


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def answers(url: str, status: int = 200) -> bool:
    try:
        return requests.get(url, timeout=10).status_code == status
    except requests.RequestException:
        return False


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


def is_running(pid: int) -> bool:
    return any(pid == found and fields[0] != "Z" for found, fields in _process_table())


def json_lines(text: str) -> list[dict[str, Any]]:
    """Return the JSON objects among the lines, in order."""
    found = []
    for line in text.splitlines():
        if line.startswith("{"):
            try:
                found.append(json.loads(line))
            except ValueError:
                continue
    return found
