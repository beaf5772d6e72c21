"""Uploads under faults by the hundred: every path holds nothing, the old bytes or the new ones, never a part."""

from functools import partial

import pytest

from tests.live import ledger, soak
from tests.live.grounds import MIB, Ground
from tests.live.trials import Trial
from tests.live.wire import Footprint

pytestmark = pytest.mark.live

SEED = 20261122
GIB = 1024 * MIB
LARGE_WEIGHTS = {
    "nothing, fetched again": 4,
    "client leaves": 3,
    "client sends less": 1,
    "worker is killed": 3,
    "worker is told to end": 2,
    "store resets": 4,
    "store is silent": 2,
    "key is revoked": 1,
}
LARGEST = [
    Trial(20, "bucket", "nothing, fetched again", 5 * GIB, is_overwrite=True, is_chunked=False, seed=20),
    Trial(21, "forwarding", "nothing, fetched again", 5 * GIB, is_overwrite=False, is_chunked=True, seed=21),
]


@pytest.fixture
def places(grounds: dict[str, Ground]) -> dict[str, Ground]:
    return {name: grounds[name] for name in soak.SHARES}


def test_300_trials_leave_no_partial_artifact(places: dict[str, Ground], request: pytest.FixtureRequest) -> None:
    seed = ledger.SEED or SEED
    outcomes = soak.Engine(places).run(ledger.chosen(soak.plan(seed, 300, places)))
    complaints = ledger.complaints([outcome.as_line() for outcome in outcomes], request.node.nodeid, seed)
    assert complaints == ""


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_3000_trials_leave_no_partial_artifact(places: dict[str, Ground], request: pytest.FixtureRequest) -> None:
    record = ledger.Ledger("trials", 3000, test=request.node.nodeid, columns=soak.COLUMNS)
    engine, sizes = soak.Engine(places), partial(soak.size_of, largest=256 * MIB)
    for batch in record.batches(soak.plan(record.seed, 3000, places, size=sizes), 100, room=10):
        record.keep(outcome.as_line() for outcome in engine.run(batch))
        places["bucket"].place.vacuum()
    record.conclude()


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_22_large_trials_leave_no_partial_artifact_in_flat_memory(
    places: dict[str, Ground], request: pytest.FixtureRequest
) -> None:
    record = ledger.Ledger("large", 22, test=request.node.nodeid, columns=soak.COLUMNS)
    planned = soak.plan(record.seed, 20, places, weights=LARGE_WEIGHTS, size=lambda _: GIB)
    engine = soak.Engine(places, clients=1)
    for (trial,) in record.batches([*planned, *LARGEST], 1, room=20):
        portal = places[trial.ground].portal
        # The folder itself is where a folder's uploads belong.
        with Footprint(portal.workers, except_for=[portal.log, portal.mlflow.destination]) as seen:
            (outcome,) = engine.run([trial])
        if seen.growth > 64 * MIB or seen.largest_file > MIB:
            outcome.complaint = outcome.complaint or f"{seen.growth} bytes of memory, {seen.largest_file} of a file"
        facts = {"growth": seen.growth, "row": f"{trial.size // GIB} GiB, {trial.fault}"}
        record.keep([outcome.as_line() | facts])
        places["bucket"].place.vacuum()
    record.conclude()
