"""Seeded trials of transfers under faults: plans them, runs them side by side, judges each, and keeps a record.

A trial uploads to a path of its own while something fails. Whatever fails, the path holds nothing, the old bytes or
the new ones, and the new ones wherever the caller was told 200.
"""

import contextlib
import http.client
import itertools
import json
import random
import select
import shutil
import signal
import socket
import struct
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

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


@dataclass
class Outcome:
    """What came of a trial: ``status`` is what the caller was told, ``found`` what rests in the store."""

    trial: Trial
    status: int | None = None
    found: str = ""
    is_bystander: bool = False
    complaint: str = ""
    seconds: float = 0

    def as_line(self) -> str:
        return json.dumps(asdict(self))


@dataclass
class Scene:
    """One trial while it runs: its connection, its bytes, its dice."""

    trial: Trial
    ground: Ground
    path: str
    dice: random.Random
    new: Content
    key: str
    connection: socket.socket = field(init=False)

    def open(self) -> None:
        parts = urlsplit(self.ground.portal.url)
        assert parts.hostname
        assert parts.port
        self.connection = socket.create_connection((parts.hostname, parts.port), timeout=PATIENCE)

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
        self.ground.proxy.lay(mark_of(self.trial), rule)


def nothing(scene: Scene) -> int | None:
    return scene.send_all()


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
    # The portal spares the second look at the key for uploads that end at once.
    time.sleep(1.3)
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
    "client leaves": Fault(client_leaves, must_not_arrive=True),
    "client sends less": Fault(client_sends_less, must_not_arrive=True, framing="announced"),
    "client sends more": Fault(client_sends_more, framing="announced"),
    "chunk is broken": Fault(chunk_is_broken, must_not_arrive=True, framing="chunked"),
    "worker is killed": Fault(worker_is_killed),
    "worker is killed late": Fault(worker_is_killed_late),
    "worker is killed by the byte": Fault(worker_is_killed_by_the_byte, needs_wire=True),
    "worker is told to end": Fault(worker_is_told_to_end),
    "store resets": Fault(store_resets, needs_wire=True),
    "store is silent": Fault(store_is_silent, needs_wire=True),
    "key is revoked": Fault(key_is_revoked, must_not_arrive=True, needs_direct=True),
}
KILLS = frozenset(name for name in FAULTS if name.startswith("worker"))


def mark_of(trial: Trial) -> str:
    return f"trial-{trial.number:06d}"


def plan(
    seed: int, count: int, weights: Mapping[str, float], shares: Mapping[str, float], direct: frozenset[str]
) -> list[Trial]:
    """Return the same trials for the same seed: faults and grounds by weight, sizes mostly small."""
    dice, trials = random.Random(seed), []
    wired = frozenset(shares) - {"folder"}
    for number in range(count):
        (fault,) = dice.choices(list(weights), list(weights.values()))
        rules = FAULTS[fault]
        fitting = {
            name: share
            for name, share in shares.items()
            if (name in wired or not rules.needs_wire) and (name in direct or not rules.needs_direct)
        }
        (ground,) = dice.choices(list(fitting), list(fitting.values()))
        is_chunked = {"chunked": True, "announced": False}.get(rules.framing, dice.random() < 0.3)
        facts = (size_of(dice), dice.random() < 0.6, is_chunked, dice.getrandbits(48))
        trials.append(Trial(number, ground, fault, *facts))
    return trials


def size_of(dice: random.Random) -> int:
    """Return a size: mostly small, some around where an upload takes a second part."""
    kind = dice.random()
    if kind < 0.75:
        return int(2 ** dice.uniform(0, 16))
    if kind < 0.88:
        return dice.randint(64 * KIB, 5 * MIB - 1)
    if kind < 0.94:
        return 5 * MIB + dice.randint(-2, 2)
    return dice.randint(5 * MIB, 12 * MIB)


class Engine:
    """Runs trials on some grounds; everything that it uploads lies below ``folder``."""

    def __init__(self, grounds: Mapping[str, Ground], *, clients: int = 6) -> None:
        self.grounds = grounds
        self.folder = f"0/{uuid.uuid4().hex}/artifacts"
        self._clients = clients
        self._keys = {name: ground.portal.key() for name, ground in grounds.items()}
        self.at_risk: set[str] = set()

    def run(self, trials: list[Trial], keep: Callable[[Outcome], None] | None = None) -> list[Outcome]:
        """Run them side by side; ``keep`` is told each outcome as it comes, one at a time."""
        lock, outcomes = threading.Lock(), []

        def one(trial: Trial) -> None:
            outcome = self.try_one(trial)
            with lock:
                outcomes.append(outcome)
                if keep is not None:
                    keep(outcome)

        with ThreadPoolExecutor(self._clients) as pool:
            for under_way in [pool.submit(one, trial) for trial in trials]:
                under_way.result()
        return outcomes

    def path_of(self, trial: Trial) -> str:
        return f"{self.folder}/{mark_of(trial)}.bin"

    def contents_of(self, trial: Trial) -> tuple[Content | None, Content]:
        """Return the old bytes, where there are some, and the new ones."""
        old_size = min(trial.size // 2 + 7, 6 * MIB)
        return (Content(trial.seed + 1, old_size) if trial.is_overwrite else None), Content(trial.seed, trial.size)

    def try_one(self, trial: Trial) -> Outcome:
        ground, path = self.grounds[trial.ground], self.path_of(trial)
        old, new = self.contents_of(trial)
        if old is not None:
            ground.place.put(path, old)
        scene = Scene(trial, ground, path, random.Random(trial.seed), new, self._keys[trial.ground])
        outcome, began_at = Outcome(trial), time.monotonic()
        scene.open()
        with scene.connection:
            # A caller who is cut off was told nothing, unless the answer was there before the cut.
            try:
                outcome.status = FAULTS[trial.fault].run(scene)
            except (OSError, http.client.HTTPException):
                outcome.status = self._late_reply(scene)
        if ground.proxy is not None:
            ground.proxy.lift(mark_of(trial))
        outcome.seconds = round(time.monotonic() - began_at, 3)
        was_killed = ground.has_killed(began_at)
        outcome.is_bystander = was_killed and trial.fault not in KILLS
        if was_killed:
            self.at_risk.add(mark_of(trial))
        self.look(outcome)
        return outcome

    def _late_reply(self, scene: Scene) -> int | None:
        with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
            if select.select([scene.connection], [], [], 1)[0]:
                return scene.reply()
        return None

    def look(self, outcome: Outcome) -> None:
        """Judge what rests in the store now."""
        trial = outcome.trial
        old, new = self.contents_of(trial)
        digest = self.grounds[trial.ground].place.digest(self.path_of(trial))
        known = {None: "absent", new.digest(): "new"} | ({old.digest(): "old"} if old else {})
        outcome.found = known.get(digest, "partial")
        outcome.complaint = outcome.complaint or self._complaint(outcome)

    def _complaint(self, outcome: Outcome) -> str:
        fault, found = FAULTS[outcome.trial.fault], outcome.found
        if found == "partial":
            return "a part of the bytes, or others, are visible"
        if found == "absent" and outcome.trial.is_overwrite:
            return "what was there before is gone"
        if outcome.status == 200 and found != "new":
            return "200 for an upload that is not there"
        if fault.must_not_arrive and found == "new":
            return "an upload that must not arrive is there"
        if fault.must_arrive and not outcome.is_bystander and outcome.status != 200:
            return "refused although nothing was wrong"
        return ""

    def settle(self, outcomes: list[Outcome]) -> None:
        """Look at every path once more, now that nothing is under way, and take it away."""
        for outcome in outcomes:
            self.look(outcome)
            self.grounds[outcome.trial.ground].place.drop(self.path_of(outcome.trial))

    def orphans(self) -> dict[str, list[str]]:
        """Return the unfinished uploads that no killed worker explains."""
        found = {}
        for name, ground in self.grounds.items():
            # What a folder's drafts were for, their names do not say.
            left = [one for one in ground.place.leftovers() if self.folder in one or name == "folder"]
            innocent = [one for one in left if not any(mark in one for mark in self.at_risk)]
            if name == "folder" and ground.kills:
                innocent = []
            found[name] = innocent
        return found


class Ledger:
    """The cumulative result file: a line for each trial that is done, whatever run did it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self.lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    @property
    def done(self) -> set[int]:
        return {line["trial"]["number"] for line in self.lines}

    def keep(self, outcome: Outcome) -> None:
        self.lines.append(asdict(outcome))
        with self.path.open("a") as file:
            file.write(outcome.as_line() + "\n")


def summary(lines: list[dict[str, object]]) -> str:
    """Return a table: trials by fault, what was found, what the caller was told."""
    rows: dict[str, Counter[str]] = {}
    for line in lines:
        trial: dict[str, object] = line["trial"]  # type: ignore[assignment]
        row = rows.setdefault(str(trial["fault"]), Counter())
        row.update(("trials", str(line["found"]), f"told {line['status'] or 'nothing'}"))
        row["complaints"] += bool(line["complaint"])
    total = sum(rows.values(), Counter())
    told = sorted(word for word in total if word.startswith("told"))
    columns = ["trials", "absent", "old", "new", "partial", "complaints", *told]
    wide = max(map(len, (*rows, "total")))
    table = [" " * wide + "".join(f"{name:>13}" for name in columns)]
    table += [
        f"{name:<{wide}}" + "".join(f"{row[column]:>13}" for column in columns)
        for name, row in (*sorted(rows.items()), ("total", total))
    ]
    return "\n".join(table)


def free_gibibytes(folder: Path) -> float:
    return shutil.disk_usage(folder).free / 1024**3


def batches(trials: list[Trial], size: int) -> Iterator[list[Trial]]:
    for batch in itertools.batched(trials, size):
        yield list(batch)
