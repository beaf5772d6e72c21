"""Times transfers on each side, alternating, and looks at memory and disk of the processes behind; starts nothing."""

import itertools
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from bench.carriers import MIB, Carrier, HttpCarrier, StoreCarrier
from bench.results import BOTO3, FORWARDING, MLFLOW, PORTAL, PREFIXED, Measure
from bench.stack import Side, Stack
from tests.live.processes import descendants
from tests.live.stack import BUCKET, PREFIX
from tests.live.wire import Footprint

AT_ONCE = 8
SMALL_BYTES = 16 * 1024
Say = Callable[[str], None]
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Plan:
    """What to move: sizes in MiB with their rounds, small files and their rounds, MiB of each of 8 at once."""

    sizes: dict[int, int]
    small_files: int
    small_rounds: int
    at_once_size: int
    at_once_rounds: int


class Yard:
    """The ways into one store, and what stands in it."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        portal, forwarding = (
            Side(name, running.tracking_uri, running.headers())
            for name, running in ((PORTAL, stack.direct), (FORWARDING, stack.proxy))
        )
        self.sides: dict[str, Callable[[], Carrier]] = {
            # MLflow's streaming route has no prefix: the best that it can do, and so the measure.
            MLFLOW: lambda: HttpCarrier(Side(MLFLOW, stack.mlflow.url)),
            PREFIXED: lambda: HttpCarrier(Side(PREFIXED, stack.mlflow.tracking_uri)),
            BOTO3: lambda: StoreCarrier(stack.store),
            PORTAL: lambda: HttpCarrier(portal),
            FORWARDING: lambda: HttpCarrier(forwarding),
        }

    def in_turn(self, turn: int) -> list[str]:
        """Return the sides in alternating order: what one leaves warm, or full, is not always the same one's luck."""
        return list(self.sides)[:: -1 if turn % 2 else 1]

    def new_path(self) -> str:
        return f"0/{next(_numbers):032x}/artifacts"

    def clear(self) -> None:
        client = self._stack.store.client()
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=PREFIX):
            for found in page.get("Contents", ()):
                client.delete_object(Bucket=BUCKET, Key=found["Key"])

    def processes(self, side: str) -> tuple[list[int], Path]:
        """Return the processes behind a side, and their log."""
        if side in {PORTAL, FORWARDING}:
            portal = self._stack.direct if side == PORTAL else self._stack.proxy
            return portal.workers, portal.log
        return descendants(self._stack.mlflow.pid), self._stack.mlflow.log


def measure_sizes(yard: Yard, plan: Plan, say: Say) -> Iterator[Measure]:
    """Yield MiB a second up and down for each size, and the seconds to the first byte of a download."""
    for size, rounds in plan.sizes.items():
        title = f"{size // 1024} GiB" if size >= 1024 else f"{size} MiB"
        up, down, first = ({name: list[float]() for name in yard.sides} for _ in range(3))
        for turn in range(rounds):
            for name in yard.in_turn(turn):
                carrier, path = yard.sides[name](), yard.new_path()
                up[name].append(size / _timed(carrier.upload, f"{path}/large.bin", size * MIB))
                carrier.close()
                yard.clear()
            source = f"{yard.new_path()}/large.bin"
            _leave(yard, source, size * MIB)
            for name in yard.in_turn(turn):
                carrier = yard.sides[name]()
                began = time.perf_counter()
                first[name].append(carrier.download(source, size * MIB))
                down[name].append(size / (time.perf_counter() - began))
                carrier.close()
            yard.clear()
            if size >= 64:
                say(f"{title}, round {turn + 1} of {rounds}, up{_summary(up)}")
                say(f"{title}, round {turn + 1} of {rounds}, down{_summary(down)}")
        yield Measure(f"upload, {title}", "MiB/s", up)
        yield Measure(f"download, {title}", "MiB/s", down)
        yield Measure(f"download, {title}, first byte", "s", first)


def measure_small_files(yard: Yard, plan: Plan, say: Say) -> Iterator[Measure]:
    """Yield files a second up and down, one after the other on one connection."""
    up, down = ({name: list[float]() for name in yard.sides} for _ in range(2))
    count, title = plan.small_files, f"{plan.small_files} files of {SMALL_BYTES // 1024} KiB"
    for turn in range(plan.small_rounds):
        for name in yard.in_turn(turn):
            carrier, folder = yard.sides[name](), yard.new_path()
            paths = [f"{folder}/{number}.bin" for number in range(count)]
            up[name].append(count / _timed(_each, carrier.upload, paths))
            down[name].append(count / _timed(_each, carrier.download, paths))
            carrier.close()
            yard.clear()
        say(f"{title}, round {turn + 1} of {plan.small_rounds}, up{_summary(up)}")
    yield Measure(f"upload, {title}", "files/s", up)
    yield Measure(f"download, {title}", "files/s", down)


def measure_at_once(yard: Yard, plan: Plan, say: Say) -> Iterator[Measure]:
    """Yield for 8 transfers at once: MiB a second together, and MiB of memory and of temporary files."""
    sides = (MLFLOW, PORTAL, FORWARDING)
    kinds = (("", "MiB/s"), (", memory growth", "MiB"), (", temporary files", "MiB"))
    found = {(way, kind): {name: list[float]() for name in sides} for way in ("upload", "download") for kind in kinds}
    for turn in range(plan.at_once_rounds):
        for name in sides[:: -1 if turn % 2 else 1]:
            folder = yard.new_path()
            for way in ("upload", "download"):
                facts = _together(yard, name, way, folder, plan.at_once_size)
                for kind, fact in zip(kinds, facts, strict=True):
                    found[way, kind][name].append(fact)
                say(f"{AT_ONCE} {way}s at once, {name}: {facts[0]:.0f} MiB/s, memory +{facts[1]:.0f} MiB")
            yard.clear()
    for (way, (kind, unit)), values in found.items():
        yield Measure(f"{way}, {AT_ONCE} at once{kind}", unit, values)


def _together(yard: Yard, name: str, way: str, folder: str, size: int) -> tuple[float, float, float]:
    carriers = [yard.sides[name]() for _ in range(AT_ONCE)]
    pids, log = yard.processes(name)
    disk, logged = _written(pids), log.stat().st_size
    with Footprint(pids, except_for=[log]) as footprint, ThreadPoolExecutor(AT_ONCE) as pool:
        began = time.perf_counter()
        moves = [
            pool.submit(getattr(carrier, way), f"{folder}/{number}.bin", size * MIB)
            for number, carrier in enumerate(carriers)
        ]
        for move in moves:
            move.result()
        seconds = time.perf_counter() - began
    for carrier in carriers:
        carrier.close()
    own_log = log.stat().st_size - logged
    # The system counts whole pages, and the log is on disk as well.
    temporary = max(0, _written(pids) - disk - own_log) // MIB
    return AT_ONCE * size / seconds, footprint.growth / MIB, temporary


def _written(pids: list[int]) -> int:
    """Return the bytes that processes have caused to be written to disk (proc(5), write_bytes)."""
    lines = [line for pid in pids for line in Path(f"/proc/{pid}/io").read_text().splitlines()]
    return sum(int(line.split()[1]) for line in lines if line.startswith("write_bytes:"))


def _leave(yard: Yard, path: str, size: int) -> None:
    """Put the object that everybody fetches: as the portal stores it, with a checksum that boto3 compares as well."""
    carrier = yard.sides[PORTAL]()
    carrier.upload(path, size)
    carrier.close()


def _timed(work: Callable[..., object], *arguments: object) -> float:
    began = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - began


def _each(move: Callable[[str, int], object], paths: list[str]) -> None:
    for path in paths:
        move(path, SMALL_BYTES)


def _summary(values: dict[str, list[float]]) -> str:
    return "".join(f" · {side} {each[-1]:.0f}" for side, each in values.items() if each)
