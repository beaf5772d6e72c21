"""Downloads cut between store and portal: the caller sees an error, never a short file that passes for a whole one."""

import pytest

from tests.live import cuts, ledger
from tests.live.grounds import Ground
from tests.live.wire import new_folder

pytestmark = pytest.mark.live

SEED = 20261122


@pytest.fixture
def cutter(grounds: dict[str, Ground]) -> cuts.Cutter:
    return cuts.Cutter({name: grounds[name] for name in cuts.GROUNDS}, new_folder())


def test_200_cut_downloads_are_no_short_files(cutter: cuts.Cutter, request: pytest.FixtureRequest) -> None:
    seed = ledger.SEED or SEED
    outcomes = cutter.run(ledger.chosen(cuts.plan(seed, 200)))
    assert ledger.complaints([outcome.as_line() for outcome in outcomes], request.node.nodeid, seed) == ""


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_1000_cut_downloads_are_no_short_files(cutter: cuts.Cutter, request: pytest.FixtureRequest) -> None:
    record = ledger.Ledger("downloads", 1000, test=request.node.nodeid, columns=cuts.COLUMNS)
    for batch in record.batches(cuts.plan(record.seed, 1000), 200, room=5):
        record.keep(outcome.as_line() for outcome in cutter.run(batch))
    record.conclude()
