"""DRF's throttles: a window per chain of rotations, and a share of the threads per key."""

import datetime
from types import SimpleNamespace

import pytest

from apikeys import actions, throttling
from apikeys.pacing import Verdict
from apikeys.throttling import ConcurrencyExceededError, ConcurrencyThrottle, KeyRateThrottle, RateExceededError
from tests.apikeys.counters import fresh_counters  # noqa: F401  (a fixture)

pytestmark = pytest.mark.usefixtures("fresh_counters")


class Caller:
    """A view that serves the calls of keys until they end."""

    def __init__(self):
        self.open = []

    def call(self, throttle, issued):
        view = SimpleNamespace(on_close=[], pace=None)
        throttle.allow_request(SimpleNamespace(auth=issued.row), view)
        self.open += view.on_close
        return view

    def end_one(self):
        self.open.pop()()


@pytest.fixture
def caller():
    return Caller()


@pytest.fixture
def limited(issue):
    return issue(name="limited", rate_limit_per_hour=10)


@pytest.fixture
def two_at_once(settings):
    settings.HOKUSAI_KEY_CONCURRENCY = 2


def use_up(caller, issued, calls=10):
    for _ in range(calls):
        caller.call(KeyRateThrottle(), issued)


def test_rate_within_the_limit_passes_and_tells_what_is_left(caller, limited):
    assert caller.call(KeyRateThrottle(), limited).pace.remaining == 9


def test_rate_beyond_the_limit_is_refused(caller, limited):
    use_up(caller, limited)
    with pytest.raises(RateExceededError) as caught:
        caller.call(KeyRateThrottle(), limited)
    assert caught.value.facts["api_key"] == limited.row.public_id
    assert (caught.value.status_code, caught.value.reason) == (429, "RATE_EXCEEDED")


def test_rate_refusal_asks_to_wait_half_a_minute_at_most(limited):
    for seconds, wait in ((1, 1), (30, 30), (3600, 30)):
        assert RateExceededError("hk", Verdict(False, 10, 0, seconds, 3600)).wait == wait


def test_rate_refusal_says_when_the_window_begins_anew(caller, limited):
    use_up(caller, limited)
    with pytest.raises(RateExceededError) as caught:
        caller.call(KeyRateThrottle(), limited)
    assert 30 < caught.value.facts["reset"] <= 3600


def test_rate_of_one_key_leaves_another_alone(caller, limited, issue):
    use_up(caller, limited)
    caller.call(KeyRateThrottle(), issue(rate_limit_per_hour=10))


def test_rate_default_is_the_policy(caller, reader, settings):
    settings.HOKUSAI_RATE_LIMIT_PER_HOUR = 1234
    assert caller.call(KeyRateThrottle(), reader).pace.limit == 1234


def test_rotation_does_not_begin_a_new_window(caller, limited, actor):
    use_up(caller, limited)
    successor = actions.rotate_key(key=limited.row, actor=actor)
    with pytest.raises(RateExceededError):
        caller.call(KeyRateThrottle(), successor)


def test_rotation_twice_keeps_the_lineage(limited, actor):
    second = actions.rotate_key(key=limited.row, actor=actor)
    third = actions.rotate_key(key=second.row, grace=datetime.timedelta(0), actor=actor)
    assert third.row.lineage == second.row.lineage == limited.row.lineage == limited.row.public_id


def test_rotation_keeps_the_own_limit(limited, actor):
    assert actions.rotate_key(key=limited.row, actor=actor).row.rate_limit_per_hour == 10


def test_lineage_of_two_issued_keys_differs(issue):
    assert issue().row.lineage != issue().row.lineage


def test_noisy_neighbour_beyond_the_share_is_refused(caller, reader, two_at_once):
    caller.call(ConcurrencyThrottle(), reader)
    caller.call(ConcurrencyThrottle(), reader)
    with pytest.raises(ConcurrencyExceededError) as caught:
        caller.call(ConcurrencyThrottle(), reader)
    assert (caught.value.status_code, caught.value.reason) == (429, "CONCURRENCY_EXCEEDED")
    assert caught.value.facts == {"limit": 2, "api_key": reader.row.public_id}


def test_noisy_neighbour_leaves_another_key_alone(caller, reader, writer, two_at_once):
    caller.call(ConcurrencyThrottle(), reader)
    caller.call(ConcurrencyThrottle(), reader)
    caller.call(ConcurrencyThrottle(), writer)


def test_concurrency_call_that_ended_makes_room(caller, reader, two_at_once):
    for _ in range(10):
        caller.call(ConcurrencyThrottle(), reader)
        caller.end_one()
    assert ConcurrencyThrottle._open == {}


def test_concurrency_refused_call_takes_no_room(caller, reader, two_at_once):
    caller.call(ConcurrencyThrottle(), reader)
    caller.call(ConcurrencyThrottle(), reader)
    with pytest.raises(ConcurrencyExceededError):
        caller.call(ConcurrencyThrottle(), reader)
    caller.end_one()
    caller.call(ConcurrencyThrottle(), reader)


def test_concurrency_is_shared_by_a_key_and_its_successor(caller, reader, actor, two_at_once):
    caller.call(ConcurrencyThrottle(), reader)
    caller.call(ConcurrencyThrottle(), reader)
    with pytest.raises(ConcurrencyExceededError):
        caller.call(ConcurrencyThrottle(), actions.rotate_key(key=reader.row, actor=actor))


def test_headers_tell_the_window_in_both_vocabularies():
    assert throttling.headers(Verdict(True, 100, 42, 17, 3600)) == {
        "X-RateLimit-Limit": "100",
        "X-RateLimit-Remaining": "42",
        "X-RateLimit-Reset": "17",
        "RateLimit-Policy": '"key";q=100;w=3600',
        "RateLimit": '"key";r=42;t=17',
    }


@pytest.mark.parametrize("limit", [9, 0, -1, 1_000_001])
def test_issue_limit_outside_of_policy_is_refused(issue, limit):
    with pytest.raises(actions.ActionRefusedError, match="10 to 1000000"):
        issue(rate_limit_per_hour=limit)


@pytest.mark.parametrize("limit", [10, 1_000_000, None])
def test_issue_limit_within_policy_is_kept(issue, limit):
    assert issue(rate_limit_per_hour=limit).row.rate_limit_per_hour == limit
