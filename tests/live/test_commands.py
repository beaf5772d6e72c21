"""Commands before a database that is not there yet: they wait for it, as a person would."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.live.processes import eventually
from tests.live.stack import Portal
from tests.live.valve import Valve

pytestmark = pytest.mark.live


def test_command_waits_for_a_database_that_begins_to_answer(local: Portal) -> None:
    local.key()
    valve = Valve(local.environment["DATABASE_URL"])
    with ThreadPoolExecutor() as pool:
        with valve.failing("hang"):
            listing = pool.submit(local.try_manage, "list_keys", "--quiet", DATABASE_URL=valve.url)
            assert eventually(lambda: valve.is_met)
        done = listing.result()
    valve.end()
    assert (done.returncode, done.stdout.startswith("hk_live_")) == (0, True), done.stderr
