"""The engine of seeded trials: plans them, runs them side by side and judges each by what rests in the store.

Whatever fails, a path holds nothing, the old bytes or the new ones, and the new ones wherever the caller was told 200.
"""

import contextlib
import http.client
import itertools
import random
import select
import socket
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlsplit

from tests.live.grounds import MIB, Ground
from tests.live.processes import eventually
from tests.live.trials import FAULTS, KIB, KILLS, PATIENCE, Scene, Trial

# In the proportions of the reliability targets: kills, resets, callers who leave, ends, and the rest.
WEIGHTS = {
    "nothing": 40,
    "client leaves": 400,
    "client sends less": 100,
    "client sends more": 50,
    "chunk is broken": 100,
    "worker is killed": 400,
    "worker is killed late": 400,
    "worker is killed by the byte": 400,
    "worker is told to end": 300,
    "store resets": 650,
    "store is silent": 150,
    "key is revoked": 60,
}
SHARES = {"bucket": 5, "folder": 2, "forwarding": 3}
LARGEST = 12 * MIB
# A worker that is killed just after a caller has left takes that caller's upload with it.
GRACE = 3
# How long the portal has to clean up behind a batch.
SETTLING = 60
COLUMNS = ("absent", "old", "new", "partial")


@dataclass
class Outcome:
    """What came of a trial: ``status`` is what the caller was told, ``found`` what rests in the store.

    ``lost_begins`` are uploads of which the store's answer was cut off: the portal never knew them.
    """

    trial: Trial
    began_at: float
    ended_at: float = 0
    status: int | None = None
    found: str = ""
    lost_begins: int = 0
    complaint: str = ""

    def as_line(self) -> dict[str, Any]:
        told = f"told {self.status or 'nothing'}"
        return asdict(self) | {"number": self.trial.number, "row": self.trial.fault, "words": [self.found, told]}


def size_of(dice: random.Random, largest: int = LARGEST) -> int:
    """Return a size: mostly small, some around where an upload takes a second part, few up to the largest."""
    kind = dice.random()
    if kind < 0.75:
        return int(2 ** dice.uniform(0, 16))
    if kind < 0.88:
        return dice.randint(64 * KIB, 5 * MIB - 1)
    if kind < 0.94:
        return 5 * MIB + dice.randint(-2, 2)
    return int(5 * MIB * (largest / (5 * MIB)) ** dice.random())


def plan(
    seed: int,
    count: int,
    grounds: Mapping[str, Ground],
    *,
    weights: Mapping[str, float] = WEIGHTS,
    size: Callable[[random.Random], int] = size_of,
) -> list[Trial]:
    """Return the same trials for the same seed: faults and grounds by weight."""
    dice, trials = random.Random(seed), []
    for number in range(count):
        (fault,) = dice.choices(list(weights), list(weights.values()))
        rules = FAULTS[fault]
        fitting = {
            name: SHARES[name]
            for name, ground in grounds.items()
            if (ground.proxy or not rules.needs_wire) and (ground.is_direct or not rules.needs_direct)
        }
        (place,) = dice.choices(list(fitting), list(fitting.values()))
        is_chunked = {"chunked": True, "announced": False}.get(rules.framing, dice.random() < 0.3)
        facts = (size(dice), dice.random() < 0.6, is_chunked, dice.getrandbits(48))
        trials.append(Trial(number, place, fault, *facts))
    return trials


class Engine:
    """Runs trials on some grounds; everything that it uploads lies below ``folder``."""

    def __init__(self, grounds: Mapping[str, Ground], *, clients: int = 6) -> None:
        self.grounds = grounds
        self.folder = f"0/{uuid.uuid4().hex}/artifacts"
        self._clients = clients
        self._keys = {name: ground.portal.key() for name, ground in grounds.items()}

    def run(self, trials: Iterable[Trial]) -> list[Outcome]:
        """Try all, first those that kill no worker: then whatever is left unfinished is the portal's own fault.

        Looks at every path once more when nothing is under way, and clears it away.
        """
        outcomes = []
        for _, some in itertools.groupby(sorted(trials, key=_is_violent), _is_violent):
            with ThreadPoolExecutor(self._clients) as pool:
                done = list(pool.map(self.try_one, some))
            eventually(lambda done=done: not any(self.orphans(done).values()), patience=SETTLING)  # type: ignore[misc]
            for name, count in self.orphans(done).items():
                if count:
                    # Nobody knows whose they are: the first says it for all.
                    first = next(outcome for outcome in done if outcome.trial.ground == name)
                    first.complaint = first.complaint or f"{count} unfinished uploads are left behind by this batch"
            for outcome in done:
                self.look(outcome)
                self.grounds[outcome.trial.ground].place.drop(self.path_of(outcome.trial))
            outcomes += done
            for ground in self.grounds.values():
                self._sweep(ground)
        return outcomes

    def path_of(self, trial: Trial) -> str:
        return f"{self.folder}/{trial.mark}.bin"

    def try_one(self, trial: Trial) -> Outcome:
        ground, path = self.grounds[trial.ground], self.path_of(trial)
        if trial.old is not None:
            ground.place.put(path, trial.old)
        outcome, parts = Outcome(trial, time.monotonic()), urlsplit(ground.portal.url)
        with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=PATIENCE) as connection:
            scene = Scene(trial, ground, path, self._keys[trial.ground], connection)
            # A caller who is cut off was told nothing, unless the answer was there before the cut.
            try:
                outcome.status = FAULTS[trial.fault].run(scene)
            except (OSError, http.client.HTTPException):
                outcome.status = _late_reply(scene)
        outcome.ended_at = time.monotonic()
        if ground.proxy is not None:
            ground.proxy.lift(trial.mark)
        outcome.lost_begins = scene.rule.lost_begins if scene.rule else 0
        self.look(outcome)
        return outcome

    def look(self, outcome: Outcome) -> None:
        """Judge what rests in the store now."""
        trial = outcome.trial
        digest = self.grounds[trial.ground].place.digest(self.path_of(trial))
        known = {None: "absent", trial.new.digest(): "new"}
        if trial.old is not None:
            known[trial.old.digest()] = "old"
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
        if fault.must_arrive and outcome.status != 200 and not self._is_hit(outcome):
            return "refused although nothing was wrong"
        return ""

    def _is_hit(self, outcome: Outcome) -> bool:
        """Return whether a worker was killed on its ground while it was under way."""
        kills = self.grounds[outcome.trial.ground].kills
        return any(outcome.began_at <= moment <= outcome.ended_at + GRACE for moment in kills)

    def orphans(self, outcomes: list[Outcome]) -> dict[str, int]:
        """Return by ground how many uploads stay unfinished that no killed worker and no lost answer explains."""
        found = {}
        for name, ground in self.grounds.items():
            here = (outcome for outcome in outcomes if outcome.trial.ground == name)
            explained = sum(self._is_hit(outcome) + outcome.lost_begins for outcome in here)
            found[name] = max(0, len(self._leftovers(ground)) - explained)
        return found

    def _leftovers(self, ground: Ground) -> list[str]:
        """Return what the portal began to store; what a folder's drafts were for, their names do not say."""
        if not ground.is_direct:
            return []
        return [path for path in ground.place.leftovers() if self.folder in path or "/" not in path]

    def _sweep(self, ground: Ground) -> None:
        if self._leftovers(ground):
            ground.sweep()
            assert self._leftovers(ground) == [], "sweep_uploads leaves unfinished uploads behind"


def _is_violent(trial: Trial) -> bool:
    return trial.fault in KILLS


def _late_reply(scene: Scene) -> int | None:
    with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
        if select.select([scene.connection], [], [], 1)[0]:
            return scene.reply()
    return None
