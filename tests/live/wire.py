"""Looks at what really happens: bytes on sockets and in the store; memory, files and connections of processes."""

import contextlib
import os
import socket
import stat
import threading
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import requests
from botocore.exceptions import ClientError

from tests.live.processes import descendants, eventually
from tests.live.stack import BUCKET, PREFIX, Portal, Store

MIB = 1024**2
# What reading of a process that has ended comes to.
GONE = (FileNotFoundError, ProcessLookupError, StopIteration)
ESTABLISHED = "01"


def new_folder() -> str:
    """Return the artifact path of a run that nobody else uses."""
    return f"0/{uuid.uuid4().hex}/artifacts"


def connect(portal: Portal, receive_buffer: int = 0) -> socket.socket:
    parts = urlsplit(portal.url)
    connection = socket.socket()
    if receive_buffer:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    connection.settimeout(60)
    connection.connect((parts.hostname, parts.port))
    return connection


def send_head(connection: socket.socket, portal: Portal, method: str, artifact: str, *more: str) -> None:
    path = urlsplit(f"{portal.artifacts}/{artifact}")
    credential = f"Authorization: Bearer {portal.key()}"
    lines = (f"{method} {path.path} HTTP/1.1", f"Host: {path.netloc}", credential, *more, "", "")
    connection.sendall("\r\n".join(lines).encode())


def stored(portal: Portal, store: Store, artifact: str) -> bytes | None:
    """Return the bytes as they rest in the folder or the bucket; None where nothing does."""
    if not portal.mlflow.destination.startswith("s3:"):
        path = Path(portal.mlflow.destination, artifact)
        return path.read_bytes() if path.exists() else None
    try:
        found = store.client().get_object(Bucket=BUCKET, Key=f"{PREFIX}/{artifact}")
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchKey":
            raise
        return None
    content: bytes = found["Body"].read()
    return content


def upstream_connections(portal: Portal) -> dict[int, int]:
    """Return the established connections from the portal to MLflow: own port and number of unread bytes."""
    return {own: unread for own, peer, unread, _ in _connections() if peer == portal.mlflow.port}


def is_read(connection: socket.socket) -> bool:
    """Return whether the portal has taken everything that was sent."""
    ends = (connection.getpeername()[1], connection.getsockname()[1])
    return [unread for own, peer, unread, _ in _connections() if (own, peer) == ends] == [0]


def worker_of(portal: Portal, connection: socket.socket) -> int | None:
    """Return the worker that holds the other end of a connection."""
    own_port, portal_port = connection.getsockname()[1], connection.getpeername()[1]
    inodes = {inode for own, peer, _, inode in _connections() if (own, peer) == (portal_port, own_port)}
    for worker in portal.workers:
        if any(link in {f"socket:[{inode}]" for inode in inodes} for _, link in _open_files(worker)):
            return worker
    return None


@contextmanager
def session_of_each_worker(portal: Portal) -> Iterator[list[requests.Session]]:
    """Yield sessions, each with one kept connection, that together lead to every worker."""
    with ExitStack() as opened:
        sessions: dict[int, requests.Session] = {}

        def are_both_met() -> bool:
            session = opened.enter_context(requests.Session())
            reply = session.get(f"{portal.url}/live", timeout=60, stream=True)
            # The session's own socket is out of reach, so that of its reply is asked for.
            worker = worker_of(portal, reply.raw._connection.sock)
            reply.content  # noqa: B018  (gives the connection back to the session)
            if worker is not None:
                sessions.setdefault(worker, session)
            return len(sessions) == 2

        # One worker may still be starting, and the other answers hundreds of calls meanwhile.
        assert eventually(are_both_met)
        assert set(sessions) == set(portal.workers)
        yield list(sessions.values())


def _connections() -> Iterator[tuple[int, int, int, str]]:
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] == ESTABLISHED:
            own, peer = (int(fields[place].partition(":")[2], 16) for place in (1, 2))
            yield own, peer, int(fields[4].partition(":")[2], 16), fields[9]


def _open_files(pid: int) -> Iterator[tuple[Path, str]]:
    try:
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            try:
                yield entry, os.readlink(entry)  # noqa: PTH115  (the target may be no path at all)
            except OSError:
                continue
    except OSError:
        return


class Footprint:
    """Memory peaks of some processes and the largest file that they held, between entering and leaving.

    What lies at or below ``except_for`` does not count; a process that ends meanwhile counts until then.
    """

    def __init__(self, pids: Iterable[int], *, except_for: Iterable[Path | str] = ()) -> None:
        self.pids = list(pids)
        self.known = tuple(str(path) for path in except_for)
        self.largest_file = 0
        self._is_over = threading.Event()
        self._watcher = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        self._before: dict[int, int] = {}
        for pid in self.pids:
            with contextlib.suppress(*GONE):
                Path(f"/proc/{pid}/clear_refs").write_text("5")  # the kernel forgets the peak so far
                self._before[pid] = _memory(pid, "VmRSS")
        self._peaks = dict(self._before)
        self._watcher.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over.set()
        self._watcher.join()
        self._look()

    @property
    def growth(self) -> int:
        """The largest rise of any of the processes, from resident at the start to its peak, in bytes."""
        return max(self._peaks[pid] - before for pid, before in self._before.items())

    def _watch(self) -> None:
        while not self._is_over.wait(0.1):
            self._look()

    def _look(self) -> None:
        for pid in self._before:
            with contextlib.suppress(*GONE):
                self._peaks[pid] = max(self._peaks[pid], _memory(pid, "VmHWM"))
            for entry, link in _open_files(pid):
                self.largest_file = max(self.largest_file, 0 if link.startswith(self.known) else _size(entry))


def _size(entry: Path) -> int:
    try:
        facts = entry.stat()
    except OSError:
        return 0
    return facts.st_size if stat.S_ISREG(facts.st_mode) else 0


def _memory(pid: int, name: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))


@contextmanager
def footprints(portal: Portal) -> Iterator[tuple[Footprint, Footprint]]:
    """Watch the portal's processes and those of its MLflow."""
    own = Footprint([portal.pid, *portal.workers], except_for=[portal.log])
    with own, Footprint(descendants(portal.mlflow.pid)) as upstream:
        yield own, upstream


def wait_until_steady(portal: Portal) -> int:
    """Return the port of the connection to MLflow whose unread bytes have stopped changing."""
    deadline, last = time.monotonic() + 60, {}
    while time.monotonic() < deadline:
        time.sleep(0.3)
        full = {own: unread for own, unread in upstream_connections(portal).items() if unread}
        if full and full == last:
            (port,) = full
            return port
        last = full
    raise AssertionError("no connection to MLflow stands still with unread bytes")
