"""Two portals behind one front proxy, as in production: what holds for one holds for both, and one may go.

`make replicas-test`. PostgreSQL, Valkey, nginx, a counting stub for the pace and a real MLflow for what must last.
"""

import http.client
import itertools
import json
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from tests.apikeys.redis_server import RedisServer
from tests.live import tables
from tests.live.front import Front
from tests.live.load import Ended, Load, Request
from tests.live.processes import Program, answers, eventually
from tests.live.stack import Database, Mlflow, Portal
from tests.live.test_worker import Worker
from tests.live.wire import session_of_each_worker
from tests.mlflow_proxy.health.answers import like_mlflow
from tests.mlflow_proxy.stub import Answer, Seen, Stub, ok

pytestmark = [pytest.mark.live, pytest.mark.replicas]

SEARCH = "/api/mlflow/api/2.0/mlflow/experiments/search?max_results=1"
LOG_METRIC = "/api/mlflow/api/2.0/mlflow/runs/log-metric"
SLOW_FILE = "/api/mlflow/api/2.0/mlflow-artifacts/artifacts/0/run/artifacts/slow"
SLOW_PIECES, SLOW_PAUSE = 40, 0.5
STUB_RATE, MLFLOW_RATE = 200, 30
DRAIN_SECONDS = 4.0
SETTLE_SECONDS = 4.0
REVOKED_CALLS, CALLS_OF_AN_ADDRESS, LIMIT = 10_000, 10, 60
HEADINGS = ("what", "calls", "a second", "statuses", "acknowledged", "lost", "twice", "back after")
ROWS: list[list[str]] = []


@dataclass
class Replicas:
    """Two portals with one database, one Valkey and one upstream, and the front proxy before them."""

    first: Portal
    second: Portal
    front: Front

    @property
    def both(self) -> tuple[Portal, Portal]:
        return self.first, self.second

    def headers(self) -> dict[str, str]:
        return self.first.headers() | {"Content-Type": "application/json"}


@dataclass
class Grounds:
    """What the replicas stand on."""

    folder: Path
    database: Database
    valkey: RedisServer
    ending: ExitStack

    def start(self, program: Program) -> None:
        self.ending.callback(program.end)
        program.start()

    def replicas(self, name: str, mlflow: Any) -> Replicas:
        database = self.database.create(name.replace("-", "_"))
        more = {
            "REDIS_URL": self.valkey.url,
            "HOKUSAI_TRUSTED_PROXIES": "127.0.0.1",
            "HOKUSAI_DRAIN_SECONDS": str(DRAIN_SECONDS),
            "HOKUSAI_RATE_LIMIT_PER_HOUR": "1000000",
        }
        first = Portal(f"{name}-1", self.folder, mlflow=mlflow, database=database, **more)
        second = Portal(f"{name}-2", self.folder, mlflow=mlflow, database=database, twin=first, **more)
        for portal in (first, second):
            self.start(portal)
        front = Front(self.folder, [first.url, second.url], f"{name}-front")
        self.start(front)
        front.wait_until_up()
        for portal in (first, second):
            portal.wait_until_ready()
        return Replicas(first, second, front)


@pytest.fixture(scope="module")
def stands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grounds]:
    folder = tmp_path_factory.mktemp("replicas")
    (folder / "database").mkdir()
    with ExitStack() as ending:
        database, valkey = Database(folder / "database"), RedisServer()
        ending.callback(database.end)
        ending.callback(valkey.kill)
        database.start()
        valkey.start()
        yield Grounds(folder, database, valkey, ending)
    tables.print_at_end("replicas", tables.lines(HEADINGS, ROWS))


@pytest.fixture(scope="module")
def counting() -> Iterator[Stub]:
    """An MLflow that answers at once, remembers every write, and is slow with one file."""
    known = like_mlflow()

    def pieces() -> Iterator[bytes]:
        yield ok(bytes(SLOW_PIECES))[:-SLOW_PIECES]
        for _ in range(SLOW_PIECES):
            time.sleep(SLOW_PAUSE)
            yield b"x"

    def script(seen: Seen) -> Answer:
        if seen.target.endswith("/slow"):
            return Answer(pieces())
        return Answer([ok()]) if seen.target.endswith("log-metric") else known(seen)

    stub = Stub(script)
    yield stub
    stub.stop()


@dataclass
class StubbedMlflow:
    """The counting stub in the place of an MLflow server."""

    url: str


@pytest.fixture(scope="module")
def quick(stands: Grounds, counting: Stub) -> Replicas:
    """Return replicas before the counting stub."""
    return stands.replicas("quick", StubbedMlflow(counting.url))


@pytest.fixture(scope="module")
def real(stands: Grounds) -> Replicas:
    """Return replicas before an MLflow on PostgreSQL."""
    database, artifacts = stands.database.create("mlflow"), stands.folder / "artifacts"
    mlflow = Mlflow("mlflow", stands.folder, database=database, destination=str(artifacts))
    stands.start(mlflow)
    mlflow.wait_until(lambda: answers(f"{mlflow.tracking_uri}/health"))
    return stands.replicas("real", mlflow)


def metric(run_id: str) -> Callable[[int], Request]:
    """Return what makes the numbered write of a run."""

    def make(number: int) -> Request:
        document = {"run_id": run_id, "key": "number", "value": number, "timestamp": 0, "step": number}
        return Request("POST", LOG_METRIC, json.dumps(document).encode())

    return make


def written(counting: Stub) -> Counter[int]:
    """Return how often each numbered write came to the stub, whole."""
    seen = [one for one in counting.seen if one.target.endswith("log-metric") and one.is_whole]
    return Counter(json.loads(one.body)["step"] for one in seen)


def row(what: str, **facts: object) -> None:
    """Add a row to the table that ends the report."""
    ROWS.append([what, *(str(facts.get(heading.replace(" ", "_"), "-")) for heading in HEADINGS[1:])])


def told(statuses: Mapping[int, int]) -> str:
    return " ".join(f"{status or 'broken'}:{count}" for status, count in sorted(statuses.items()))


def note(what: str, load: Load, found: Counter[int], back_after: float) -> None:
    row(
        what,
        calls=len(load.ended),
        a_second=f"{load.rate:.0f}",
        statuses=told(load.statuses),
        acknowledged=len(load.acknowledged),
        lost=len(load.acknowledged - found.keys()),
        twice=sum(times > 1 for times in found.values()),
        back_after=f"{back_after:.1f} s",
    )


def seconds_until_ready(portal: Portal) -> float:
    began_at = time.monotonic()
    portal.start()
    portal.wait_until_ready()
    return time.monotonic() - began_at


def is_new_connection_taken(portal: Portal) -> bool:
    connection = http.client.HTTPConnection(urlsplit(portal.url).netloc, timeout=10)
    try:
        connection.request("GET", "/live")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def roll(portal: Portal) -> tuple[bool, bool, float]:
    """Tell a portal to end, wait for that and start it again.

    Return whether it said so before it ended, whether it took new connections after it said so, and how long the
    start took.
    """
    assert portal.process
    portal.process.terminate()
    said = eventually(lambda: answers(f"{portal.url}/ready", 503), DRAIN_SECONDS)
    taken = is_new_connection_taken(portal)
    portal.process.wait(90)
    portal.end()
    return bool(said), taken, seconds_until_ready(portal)


def test_r5_rolling_both_replicas_under_load_fails_no_call(quick: Replicas, counting: Stub) -> None:
    counting.seen.clear()
    with Load(quick.front.url, STUB_RATE, metric("r1"), quick.headers()) as load:
        load.go_on(SETTLE_SECONDS)
        rolled = [(roll(portal), load.go_on(SETTLE_SECONDS))[0] for portal in quick.both]
    found = written(counting)
    note("SIGTERM to both, one after the other", load, found, max(back for *_, back in rolled))
    assert load.failed == []
    assert load.acknowledged <= found.keys()
    assert set(found.values()) == {1}
    assert [found for *found, _ in rolled] == [[True, True]] * 2


def test_r5_transfer_under_way_outlives_the_end_of_its_replica(quick: Replicas) -> None:
    with ThreadPoolExecutor(1) as pool:
        url = f"{quick.second.url}{SLOW_FILE}"
        transfer = pool.submit(requests.get, url, headers=quick.headers(), timeout=60)
        time.sleep(1)
        began_at = time.monotonic()
        roll(quick.second)
        reply = transfer.result()
    sending = f"transfer of {SLOW_PIECES * SLOW_PAUSE:.0f} s, SIGTERM to its replica"
    row(sending, calls=1, statuses=told({reply.status_code: 1}), acknowledged=1)
    assert reply.content == b"x" * SLOW_PIECES
    assert time.monotonic() - began_at >= SLOW_PIECES * SLOW_PAUSE - 2


def test_r14_replica_killed_under_load_loses_nothing_acknowledged(quick: Replicas, counting: Stub) -> None:
    counting.seen.clear()
    with Load(quick.front.url, STUB_RATE, metric("r2"), quick.headers()) as load:
        load.go_on(SETTLE_SECONDS)
        killed_at = time.monotonic()
        quick.first.end(signal.SIGKILL)
        load.go_on(SETTLE_SECONDS)
        back_after = seconds_until_ready(quick.first)
        load.go_on(SETTLE_SECONDS)
    found = written(counting)
    note("kill -9 of one", load, found, back_after)
    assert load.acknowledged <= found.keys()
    assert set(found.values()) == {1}
    # What was under way breaks off; what begins a second later goes to the other one.
    assert [call for call in load.failed if not killed_at - 1 < call.began_at < killed_at + 1] == []


def test_killed_worker_is_replaced_and_loses_nothing_acknowledged(quick: Replicas, counting: Stub) -> None:
    counting.seen.clear()
    with Load(quick.front.url, STUB_RATE, metric("r3"), quick.headers()) as load:
        load.go_on(SETTLE_SECONDS)
        killed_at, doomed = time.monotonic(), quick.first.workers[0]
        os.kill(doomed, signal.SIGKILL)
        assert eventually(lambda: len(quick.first.workers) == 2 and doomed not in quick.first.workers, 10)
        back_after = time.monotonic() - killed_at
        load.go_on(SETTLE_SECONDS)
    found = written(counting)
    note("kill -9 of one worker", load, found, back_after)
    assert load.acknowledged <= found.keys()
    assert set(found.values()) == {1}
    assert [call for call in load.failed if not killed_at - 1 < call.began_at < killed_at + 1] == []


def test_every_acknowledged_write_is_in_mlflow_after_one_was_killed_and_one_rolled(real: Replicas) -> None:
    run = real.first.api("POST", "2.0/mlflow/runs/create", json={"experiment_id": "0"})["run"]["info"]["run_id"]
    with Load(real.front.url, MLFLOW_RATE, metric(run), real.headers()) as load:
        load.go_on(SETTLE_SECONDS)
        real.first.end(signal.SIGKILL)
        load.go_on(SETTLE_SECONDS)
        back_after = seconds_until_ready(real.first)
        load.go_on(SETTLE_SECONDS)
        roll(real.second)
        load.go_on(SETTLE_SECONDS)
    found = history(real.first, run)
    note("real MLflow: kill -9 of one, SIGTERM to the other", load, found, back_after)
    assert load.acknowledged <= found.keys()
    assert set(found.values()) == {1}


def history(portal: Portal, run: str) -> Counter[int]:
    """Return how often MLflow holds each numbered write."""
    steps: Counter[int] = Counter()
    query = {"run_id": run, "metric_key": "number", "max_results": 1000}
    while True:
        page = portal.api("GET", "2.0/mlflow/metrics/get-history", params=query)
        steps.update(int(one["step"]) for one in page.get("metrics", []))
        if not page.get("next_page_token"):
            return steps
        query["page_token"] = page["next_page_token"]


def test_r3_revocation_holds_on_every_replica_from_the_next_call_on(quick: Replicas) -> None:
    key = quick.first.issue("reader", "--rate-limit-per-hour", "1000000")
    public_id = key[: len("hk_live_") + 12]
    with Load(quick.front.url, 50, lambda _: Request("GET", SEARCH), bearer(key)) as warm:
        warm.go_on(3)
        began_at = time.monotonic()
        quick.first.manage("revoke_key", public_id, "--reason", "leaked")
        revoked_at = time.monotonic()
        share = REVOKED_CALLS // 8
        with ThreadPoolExecutor(8) as pool:
            asking = [pool.submit(ask, quick, key, share * number, share) for number in range(8)]
            calls = [call for future in asking for call in future.result()]
    late = [call for call in (*calls, *warm.ended) if call.began_at > revoked_at]
    accepted = [call for call in late if call.is_acknowledged]
    before = [call for call in warm.ended if call.ended_at < began_at]
    statuses = Counter(call.status for call in late)
    row("revoked on one, called on both", calls=len(late), statuses=told(statuses), acknowledged=len(accepted))
    assert {call.status for call in before} == {200}
    assert {call.server for call in late} == {urlsplit(portal.url).netloc for portal in quick.both}
    assert len(calls) == REVOKED_CALLS
    assert accepted == []
    assert statuses[401] >= REVOKED_CALLS


def ask(replicas: Replicas, key: str, first: int, times: int) -> list[Ended]:
    """Call so often with a key, one after the other, from another address every few calls: refusals are paced."""
    one, netloc = (
        Load(replicas.front.url, 1, lambda _: Request("GET", SEARCH), bearer(key)),
        urlsplit(replicas.front.url),
    )
    calls: list[Ended] = []
    for numbers in itertools.batched(range(first, first + times), CALLS_OF_AN_ADDRESS):
        source = f"127.{1 + first % 200}.{numbers[0] // 250 % 250}.{1 + numbers[0] % 250}"
        connection = http.client.HTTPConnection(
            netloc.hostname or "", netloc.port, timeout=30, source_address=(source, 0)
        )
        calls += [one._call(connection, number) for number in numbers]
        connection.close()
    return calls


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def test_limit_of_a_key_is_one_for_both_replicas(quick: Replicas) -> None:
    for _ in range(5):
        logs = [portal.watch() for portal in quick.both]
        key = quick.first.issue("reader", "--rate-limit-per-hour", str(LIMIT))
        with ThreadPoolExecutor(8) as pool:
            asking = [pool.submit(ask, quick, key, 100 * number, LIMIT // 2) for number in range(8)]
            calls = [call for future in asking for call in future.result()]
        # A Valkey that is late on a busy machine lets a worker count for itself: that is another test's matter.
        if not any(log.events("redis_unavailable") for log in logs):
            break
    statuses = Counter(call.status for call in calls)
    row(f"limit of {LIMIT}, spent on both", calls=len(calls), statuses=told(statuses), acknowledged=statuses[200])
    assert len({call.server for call in calls}) == 2
    assert statuses == {200: LIMIT, 429: 3 * LIMIT}


def test_key_answers_alike_on_every_worker_of_both(quick: Replicas) -> None:
    for portal in quick.both:
        with session_of_each_worker(portal) as sessions:
            headers = quick.headers()
            replies = [session.get(f"{portal.url}{SEARCH}", headers=headers, timeout=60) for session in sessions]
        assert [reply.status_code for reply in replies] == [200, 200]


def test_job_runs_once_for_two_workers(real: Replicas, tmp_path: Path) -> None:
    names = {"storage_check", "upload_sweep", "expiry_notices", "network_notices", "usage_roll_up", "webhook_pruning"}
    workers = []
    for portal in real.both:
        (folder := tmp_path / portal.name).mkdir()
        workers.append(Worker(portal, folder, HOKUSAI_STORAGE_CHECK_SECONDS="86400"))

    def finished() -> Counter[str]:
        return Counter(event["job"] for worker in workers for event in worker.events("job_finished"))

    try:
        for worker in workers:
            worker.start()
        assert eventually(lambda: finished().keys() >= names, 60)
        time.sleep(5)
    finally:
        for worker in workers:
            worker.end()
    runs = finished()
    row("jobs of two workers", calls=len(names), acknowledged=len(runs), twice=sum(runs.values()) - len(runs))
    assert runs == dict.fromkeys(names, 1)
