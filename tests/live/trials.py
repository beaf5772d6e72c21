"""Trials of uploads under faults: what can go wrong, told as what a caller, a worker or a wire does at a byte.

A trial uploads to a path of its own while something fails. Its seed decides bytes, moments and manners; it judges
nothing.
"""

import contextlib
import hashlib
import http.client
import random
import signal
import socket
import struct
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import requests

from tests.live.faulty import Rule
from tests.live.grounds import MIB, Content, Ground
from tests.live.processes import eventually
from tests.live.wire import worker_of

KIB = 1024
PATIENCE = 240
SLICE = 64 * KIB
_RESET = struct.pack("ii", 1, 0)


@dataclass(frozen=True)
class Trial:
    """What is to be tried; ``seed`` decides bytes, moments and manners."""

    number: int
    ground: str
    fault: str
    size: int
    is_overwrite: bool
    is_chunked: bool
    seed: int

    @property
    def mark(self) -> str:
        """The name by which the proxy knows the bytes of this trial."""
        return f"trial-{self.number:06d}"

    @property
    def old(self) -> Content | None:
        """What is there before, if anything."""
        return Content(self.seed + 1, min(self.size // 2 + 7, 6 * MIB)) if self.is_overwrite else None

    @property
    def new(self) -> Content:
        return Content(self.seed, self.size)


@dataclass
class Scene:
    """One trial while it runs: its connection, its bytes, its dice."""

    trial: Trial
    ground: Ground
    path: str
    key: str
    connection: socket.socket

    def __post_init__(self) -> None:
        self.dice, self.new = random.Random(self.trial.seed), self.trial.new
        self.rule: Rule | None = None

    def send_head(self, announced: int | None = None) -> None:
        target = urlsplit(f"{self.ground.portal.artifacts}/{self.path}")
        framing = "Transfer-Encoding: chunked"
        if announced is not None or not self.trial.is_chunked:
            framing = f"Content-Length: {self.new.size if announced is None else announced}"
        lines = (f"PUT {target.path} HTTP/1.1", f"Host: {target.netloc}", f"Authorization: Bearer {self.key}", framing)
        self.connection.sendall("\r\n".join((*lines, "", "")).encode())

    def send(self, start: int = 0, end: int | None = None, *, is_chunked: bool | None = None) -> None:
        """Send the bytes from ``start`` to ``end``, each slice a chunk of its own where the upload is chunked."""
        framed = self.trial.is_chunked if is_chunked is None else is_chunked
        place, end = 0, self.new.size if end is None else end
        for block in self.new.blocks():
            chosen = memoryview(block)[max(start - place, 0) : max(end - place, 0)]
            place += len(block)
            for first in range(0, len(chosen), SLICE):
                piece = chosen[first : first + SLICE]
                self.connection.sendall(b"%x\r\n%b\r\n" % (len(piece), piece) if framed else piece)
            if place >= end:
                return

    def finish(self) -> None:
        if self.trial.is_chunked:
            self.connection.sendall(b"0\r\n\r\n")

    def send_all(self) -> int | None:
        self.send_head()
        self.send()
        self.finish()
        return self.reply()

    def reply(self) -> int | None:
        answer = http.client.HTTPResponse(self.connection, method="PUT")
        answer.begin()
        answer.read()
        return answer.status

    def somewhere(self) -> int:
        """Return a place inside the body, half the time near one of its ends."""
        near_end = self.dice.choice((self.dice.randint(0, 64), self.new.size - self.dice.randint(1, 64)))
        return min(max(self.dice.choice((near_end, self.dice.randrange(self.new.size))), 0), self.new.size - 1)

    def leave(self, *, by_reset: bool) -> None:
        if by_reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.connection.close()

    def signal_worker(self, number: int) -> None:
        worker = eventually(lambda: worker_of(self.ground.portal, self.connection), 5)
        if worker:
            self.ground.kill(worker, number)

    def lay(self, rule: Rule) -> None:
        assert self.ground.proxy is not None
        self.rule = rule
        self.ground.proxy.lay(self.trial.mark, rule)


def nothing(scene: Scene) -> int | None:
    return scene.send_all()


def is_fetched_again(scene: Scene) -> int | None:
    """Fetch through the portal what was sent, and tell the upload's status only where it comes back the same."""
    status, found = scene.send_all(), hashlib.sha256()
    url = f"{scene.ground.portal.artifacts}/{scene.path}"
    with requests.get(url, headers=scene.ground.portal.headers(), stream=True, timeout=PATIENCE) as reply:
        for piece in reply.iter_content(MIB):
            found.update(piece)
    return status if found.hexdigest() == scene.new.digest() else None


def client_leaves(scene: Scene) -> int | None:
    scene.send_head()
    scene.send(0, scene.somewhere())
    if scene.dice.random() < 0.5:
        # Half of them once the portal has begun to pass on what it has.
        time.sleep(scene.dice.uniform(0, 0.05))
    scene.leave(by_reset=scene.dice.random() < 0.5)
    return None


def client_sends_less(scene: Scene) -> int | None:
    scene.send_head(scene.new.size + scene.dice.randint(1, 70_000))
    scene.send(is_chunked=False)
    scene.connection.shutdown(socket.SHUT_WR)
    return scene.reply()


def client_sends_more(scene: Scene) -> int | None:
    scene.send_head(scene.new.size)
    scene.send(is_chunked=False)
    with contextlib.suppress(ConnectionError):
        scene.connection.sendall(scene.dice.randbytes(scene.dice.randint(1, 70_000)))
    return scene.reply()


def chunk_is_broken(scene: Scene) -> int | None:
    scene.send_head()
    scene.send(0, scene.somewhere())
    broken = (b"zz\r\nabc\r\n", b"5\r\nabcdefgh\r\n", b"-1\r\n\r\n", b"\r\n\r\n", b"fffffffffffffffff\r\nabc\r\n")
    scene.connection.sendall(scene.dice.choice(broken))
    # Some of these may be the beginning of something.
    scene.connection.shutdown(socket.SHUT_WR)
    return scene.reply()


def worker_is_killed(scene: Scene) -> int | None:
    scene.send_head()
    scene.send(0, place := scene.somewhere())
    scene.signal_worker(signal.SIGKILL)
    scene.send(place)
    scene.finish()
    return scene.reply()


def worker_is_killed_late(scene: Scene) -> int | None:
    scene.send_head()
    scene.send(0, place := scene.new.size - 1)
    worker = eventually(lambda: worker_of(scene.ground.portal, scene.connection), 5)
    scene.send(place)
    scene.finish()
    time.sleep(scene.dice.choice((0, scene.dice.uniform(0, 0.005), scene.dice.uniform(0, 0.08))))
    if worker:
        scene.ground.kill(worker)
    return scene.reply()


def worker_is_killed_by_the_byte(scene: Scene) -> int | None:
    """Kill it when a certain byte passes between portal and store, such as one of the commit or of its answer."""
    scene.send_head()
    scene.send(0, place := scene.new.size - 1)
    worker = eventually(lambda: worker_of(scene.ground.portal, scene.connection), 5)
    if worker:
        action = lambda: scene.ground.kill(worker)  # noqa: E731
        scene.lay(Rule(*_place(scene), "call", action=action, times=1))
    scene.send(place)
    scene.finish()
    return scene.reply()


def worker_is_told_to_end(scene: Scene) -> int | None:
    scene.send_head()
    scene.send(0, place := scene.somewhere())
    scene.signal_worker(signal.SIGTERM)
    scene.send(place)
    scene.finish()
    return scene.reply()


def _place(scene: Scene) -> tuple[str, int]:
    """Return a direction and a byte of what portal and store say to each other about this upload."""
    if scene.dice.random() < 0.4:
        return "down", scene.dice.randint(0, 900)
    # The heads and the commit's document come on top of the body.
    return "up", scene.dice.choice((scene.somewhere(), scene.dice.randint(0, scene.new.size + 1500)))


def store_resets(scene: Scene) -> int | None:
    manner = scene.dice.choice(("reset", "reset", "close"))
    # Once: the portal's own repeat heals it. Nine times: none does.
    scene.lay(Rule(*_place(scene), manner, times=scene.dice.choice((1, 1, 1, 2, 9))))
    return scene.send_all()


def store_is_silent(scene: Scene) -> int | None:
    direction, at = _place(scene)
    silence = scene.dice.uniform(0.1, 1.0)
    scene.lay(Rule(direction, at, "reset", times=scene.dice.choice((1, 1, 2)), silence=silence))
    return scene.send_all()


def key_is_revoked(scene: Scene) -> int | None:
    scene.key = scene.ground.clerk.issue()
    scene.send_head()
    scene.send(0, place := scene.somewhere())
    eventually(lambda: worker_of(scene.ground.portal, scene.connection), 5)
    scene.ground.clerk.revoke(scene.key)
    # The portal spares the second look at the key for uploads that end at once, and may have begun late to count.
    time.sleep(3)
    scene.send(place)
    scene.finish()
    return scene.reply()


@dataclass(frozen=True)
class Fault:
    """What goes wrong, and what must follow from it beyond whole or nothing."""

    run: Callable[[Scene], int | None]
    must_arrive: bool = False
    must_not_arrive: bool = False
    needs_wire: bool = False
    needs_direct: bool = False
    # Chunked, announced, or either.
    framing: str = ""


FAULTS: Mapping[str, Fault] = {
    "nothing": Fault(nothing, must_arrive=True),
    "nothing, fetched again": Fault(is_fetched_again, must_arrive=True),
    "client leaves": Fault(client_leaves, must_not_arrive=True),
    "client sends less": Fault(client_sends_less, must_not_arrive=True, framing="announced"),
    "client sends more": Fault(client_sends_more, framing="announced"),
    "chunk is broken": Fault(chunk_is_broken, must_not_arrive=True, framing="chunked"),
    "worker is killed": Fault(worker_is_killed),
    "worker is killed late": Fault(worker_is_killed_late),
    "worker is killed by the byte": Fault(worker_is_killed_by_the_byte, needs_wire=True),
    # What a worker has begun, it ends.
    "worker is told to end": Fault(worker_is_told_to_end, must_arrive=True),
    "store resets": Fault(store_resets, needs_wire=True),
    "store is silent": Fault(store_is_silent, needs_wire=True),
    "key is revoked": Fault(key_is_revoked, must_not_arrive=True, needs_direct=True),
}
KILLS = frozenset(name for name in FAULTS if name.startswith("worker is killed"))
