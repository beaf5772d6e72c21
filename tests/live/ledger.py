"""The record of a soak: what was tried, what came of it, and where a run that was broken off goes on.

A soak that is bounded or interrupted goes on at the next; once every record is whole, the next one begins anew, with
new seeds.
"""

import itertools
import json
import os
import secrets
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.live import tables
from tests.live.processes import ROOT

FOLDER = ROOT / "var" / "soak"
NAMES = ("trials", "large", "downloads")
# Variables of a run: `make soak SOAK_SECONDS=600`.
SECONDS = float(os.environ.get("SOAK_SECONDS") or "inf")
SEED = int(os.environ.get("SOAK_SEED") or 0)
ONLY = [int(number) for number in os.environ.get("SOAK_ONLY", "").replace(",", " ").split()]
ENDS_AT = time.monotonic() + SECONDS


class Numbered(Protocol):
    @property
    def number(self) -> int: ...


def chosen[T: Numbered](planned: Iterable[T]) -> list[T]:
    """Return the trials of SOAK_ONLY, or all."""
    return [trial for trial in planned if trial.number in (ONLY or {trial.number})]


def complaints(lines: Iterable[dict[str, Any]], test: str, seed: int) -> str:
    """Return two lines for each violation: what it was, and how it is repeated alone."""
    return "\n".join(
        f"{line['complaint']}: {line}\n"
        f"  alone: SOAK_SEED={seed} SOAK_ONLY={line['number']} .venv/bin/python -m pytest -m '' {test}"
        for line in lines
        if line["complaint"]
    )


class Ledger:
    """Lines of JSON in ``var/soak``: the plan's facts first, then one for each trial that was judged.

    ``test`` is its id, for whoever repeats a trial. With SOAK_ONLY nothing is read or written.
    """

    def __init__(self, name: str, count: int, *, test: str, columns: Iterable[str]) -> None:
        self.name, self.count, self.test, self._columns = name, len(ONLY) or count, test, tuple(columns)
        self.path = Path(os.devnull) if ONLY else FOLDER / f"{name}.jsonl"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if not ONLY:
            _forget_a_whole_soak(FOLDER)
        plan, self.lines = _read(self.path)
        self.seed = plan.get("seed", 0)
        if plan.get("count") != count or SEED not in {0, self.seed}:
            self.seed, self.lines = SEED or secrets.randbits(32), []
        self._known_before = len(self.lines)
        written = [json.dumps(line) for line in ({"seed": self.seed, "count": count}, *self.lines)]
        self.path.write_text("\n".join((*written, "")))

    def batches[T: Numbered](self, planned: Iterable[T], size: int, *, room: int) -> Iterator[list[T]]:
        """Yield what is still to be tried until SOAK_SECONDS are over; each needs ``room`` GiB of disk."""
        done = {line["number"] for line in self.lines}
        for batch in itertools.batched((trial for trial in chosen(planned) if trial.number not in done), size):
            if time.monotonic() > ENDS_AT:
                return
            free = shutil.disk_usage(tempfile.gettempdir()).free // 1024**3
            if free < room:
                pytest.fail(f"{free} GiB are free in {tempfile.gettempdir()}, {room} are needed (TMPDIR)")
            yield list(batch)

    def keep(self, lines: Iterable[dict[str, Any]]) -> None:
        """Write down judged trials: each has ``number``, ``row``, ``words`` and ``complaint``."""
        found = list(lines)
        self.lines += found
        with self.path.open("a") as file:
            file.writelines(json.dumps(line) + "\n" for line in found)

    def conclude(self) -> None:
        """Put the table on the report; fail for a violation in any part of the run, skip while a part is missing."""
        done = f"{len(self.lines)} of {self.count}, {len(self.lines) - self._known_before} of them in this run"
        tables.print_at_end("soak", f"{self.name}, seed {self.seed}: {done}\n{self.table()}")
        wrong = complaints(self.lines, self.test, self.seed)
        assert not wrong, f"{wrong}\nall of them anew: rm {self.path}"
        if len(self.lines) < self.count:
            pytest.skip(f"{len(self.lines)} of {self.count} are done; the next run goes on")

    def table(self) -> str:
        """Return how often each word was noted, by row."""
        rows: dict[str, Counter[str]] = {}
        for line in self.lines:
            row = rows.setdefault(line["row"], Counter())
            row.update(("tried", *line["words"], *["violations"] * bool(line["complaint"])))
        total = sum(rows.values(), Counter())
        known = ("tried", *self._columns, "violations")
        columns = [*known[:-1], *sorted(total.keys() - set(known)), known[-1]]
        wide = max(map(len, ("total", *rows)))
        body = [
            f"{name:<{wide}}" + "".join(f"{row[column]:>{len(column) + 2}}" for column in columns)
            for name, row in (*sorted(rows.items()), ("total", total))
        ]
        return "\n".join([" " * wide + "".join(f"  {column}" for column in columns), *body])


def _read(path: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    # A run that was killed may have left half a line.
    plan, *done = [json.loads(line) for line in lines if line.endswith("\n")] or [{}]
    return plan, done


@cache
def _forget_a_whole_soak(folder: Path) -> None:
    """Remove the records when all of them are whole; asked once in a run, before anything is tried."""
    paths = [folder / f"{name}.jsonl" for name in NAMES]
    records = [_read(path) for path in paths]
    if all(plan and len(lines) >= plan["count"] for plan, lines in records):
        for path in paths:
            path.unlink()
