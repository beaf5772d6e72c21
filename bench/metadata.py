"""Times metadata calls on each side: back to back on some connections, and one at a time with pauses; starts nothing.

The client is ``http.client`` on kept-alive connections, the same for each side.
"""

import http.client
import itertools
import json
import statistics
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from bench.results import Measure
from bench.stack import Side

RUNS = 25
SPACING_SECONDS = 0.4
FAILED_SHARE = 0.1
_steps = itertools.count(1)


class CallFailedError(Exception):
    """A side answered with something else than 200: whatever was measured means nothing."""


class ServerFailedError(CallFailedError):
    """A side answered with a 5xx. MLflow does so now and then to searches at once: counted, and no call made."""


@dataclass(frozen=True)
class Plan:
    """How long to measure: ``rounds`` of ``seconds`` for each side, call and number of connections."""

    rounds: int
    seconds: float
    spaced_calls: int
    connections: tuple[int, ...] = (1, 4, 16)


@dataclass(frozen=True)
class Call:
    """A request of the tracking API below ``/api/2.0/mlflow/``; ``body`` makes the next one's."""

    name: str
    method: str
    path: str
    body: Callable[[], dict[str, object]] | None = None


class Client:
    """One connection to a side."""

    def __init__(self, side: Side) -> None:
        self._side = side
        self._connection = http.client.HTTPConnection(side.netloc, timeout=120)

    def ask(self, method: str, path: str, document: dict[str, object] | None = None) -> bytes:
        """Return the body of a 200; raises CallFailedError for anything else."""
        body = None if document is None else json.dumps(document)
        headers = {"Content-Type": "application/json", **self._side.headers} if body else self._side.headers
        self._connection.request(method, f"{self._side.path}/api/2.0/mlflow/{path}", body, headers)
        reply = self._connection.getresponse()
        content = reply.read()
        if reply.status != http.client.OK:
            kind = ServerFailedError if reply.status >= http.client.INTERNAL_SERVER_ERROR else CallFailedError
            raise kind(f"{self._side.name}, {path}: {reply.status} {content[:300]!r}")
        return content

    def open(self) -> None:
        """Connect with a call that is cheap everywhere."""
        self.ask("GET", "experiments/get?experiment_id=0")

    def time(self, call: Call) -> float:
        """Return how many seconds a call takes."""
        document = call.body() if call.body else None
        began = time.perf_counter()
        self.ask(call.method, call.path, document)
        return time.perf_counter() - began

    def close(self) -> None:
        self._connection.close()


def prepare(side: Side) -> tuple[Call, ...]:
    """Make an experiment with some runs through a side, and return the calls that are timed there."""
    client = Client(side)
    name = f"bench {time.time_ns()}"
    experiment: str = json.loads(client.ask("POST", "experiments/create", {"name": name}))["experiment_id"]
    runs = [_new_run(client, experiment) for _ in range(RUNS)]
    client.close()
    search: dict[str, object] = {"experiment_ids": [experiment], "max_results": RUNS}
    return (
        Call("experiments/get", "GET", f"experiments/get?experiment_id={experiment}"),
        Call("runs/log-metric", "POST", "runs/log-metric", lambda: _metric(runs[0])),
        Call("runs/search", "POST", "runs/search", lambda: search),
    )


def _new_run(client: Client, experiment: str) -> str:
    began = {"experiment_id": experiment, "start_time": time.time_ns() // 1_000_000}
    run: str = json.loads(client.ask("POST", "runs/create", began))["run"]["info"]["run_id"]
    client.ask("POST", "runs/log-metric", _metric(run))
    client.ask("POST", "runs/log-parameter", {"run_id": run, "key": "p", "value": "1"})
    return run


def _metric(run: str) -> dict[str, object]:
    step = next(_steps)
    return {"run_id": run, "key": "m", "value": step / 7, "timestamp": time.time_ns() // 1_000_000, "step": step}


def measure_back_to_back(
    calls: dict[Side, tuple[Call, ...]], plan: Plan, say: Callable[[str], None]
) -> Iterable[Measure]:
    """Yield median time in ms and rate in calls a second, for each call and number of connections."""
    for position, call in enumerate(next(iter(calls.values()))):
        for connections in plan.connections:
            title = f"{call.name}, {connections} connection{'s' * (connections > 1)}"
            times: dict[str, list[float]] = {side.name: [] for side in calls}
            rates: dict[str, list[float]] = {side.name: [] for side in calls}
            failures: dict[str, list[float]] = {side.name: [] for side in calls}
            for turn in range(plan.rounds):
                # The order alternates: whoever comes second finds what the first left warm, or full.
                for side in list(calls)[:: -1 if turn % 2 else 1]:
                    taken, rate, failed = _burst(side, calls[side][position], connections, plan.seconds)
                    times[side.name].append(statistics.median(taken) * 1000)
                    rates[side.name].append(rate)
                    failures[side.name].append(failed)
            say(title + _summary(rates, "calls/s"))
            yield Measure(f"{title}, time", "ms", times)
            yield Measure(f"{title}, rate", "calls/s", rates)
            if any(map(any, failures.values())):
                yield Measure(f"{title}, failed", "calls", failures)


def measure_spaced(calls: dict[Side, tuple[Call, ...]], plan: Plan, say: Callable[[str], None]) -> Iterable[Measure]:
    """Yield the median time in ms of calls on one connection a side with pauses; the sides take turns in between."""
    for position, call in enumerate(next(iter(calls.values()))):
        values: dict[str, list[float]] = {side.name: [] for side in calls}
        for turn in range(plan.rounds):
            order = list(calls)[:: -1 if turn % 2 else 1]
            taken = _take_turns({side: calls[side][position] for side in order}, plan.spaced_calls)
            for side in order:
                values[side.name].append(statistics.median(taken[side]) * 1000)
        say(f"{call.name}, spaced{_summary(values, 'ms')}")
        yield Measure(f"{call.name}, spaced, time", "ms", values)


def _take_turns(calls: dict[Side, Call], count: int) -> dict[Side, list[float]]:
    clients = {side: Client(side) for side in calls}
    taken: dict[Side, list[float]] = {side: [] for side in calls}
    due = time.perf_counter()
    for number in range(count + 1):
        for side, call in calls.items():
            time.sleep(max(0.0, due - time.perf_counter()))
            seconds = clients[side].time(call)
            due += SPACING_SECONDS / len(calls)
            # The first opens the connection.
            taken[side] += [seconds] if number else []
    for client in clients.values():
        client.close()
    return taken


def _burst(side: Side, call: Call, connections: int, seconds: float) -> tuple[list[float], float, int]:
    """Return the seconds that calls took, calls a second, and how many failed, of callers who do not pause."""
    gate, taken, faults = threading.Barrier(connections + 1), list[float](), list[Exception]()
    failed = list[ServerFailedError]()

    def keep_calling() -> None:
        client = Client(side)
        try:
            client.open()
            gate.wait()
            while time.perf_counter() < deadline:
                try:
                    taken.append(client.time(call))
                except ServerFailedError as failure:
                    failed.append(failure)
        except (CallFailedError, OSError, http.client.HTTPException) as fault:
            faults.append(fault)
            gate.abort()
        finally:
            client.close()

    deadline = float("inf")
    callers = [threading.Thread(target=keep_calling) for _ in range(connections)]
    for caller in callers:
        caller.start()
    try:
        deadline = time.perf_counter() + 120
        gate.wait()
    except threading.BrokenBarrierError:
        raise CallFailedError(*faults) from None
    began = time.perf_counter()
    deadline = began + seconds
    for caller in callers:
        caller.join()
    if faults or len(failed) > len(taken) * FAILED_SHARE:
        raise [*faults, *failed][0]
    return taken, len(taken) / (time.perf_counter() - began), len(failed)


def _summary(values: dict[str, list[float]], unit: str) -> str:
    return "".join(f" · {side} {statistics.median(each):.1f}" for side, each in values.items()) + f" {unit}"
