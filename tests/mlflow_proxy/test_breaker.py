"""The breaker as a state machine: what opens it, what closes it, and that it never refuses for ever."""

from collections import deque

import pytest
from hypothesis import settings, strategies
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from mlflow_proxy import breaker
from mlflow_proxy.breaker import Breaker, Outcome

CROWD = 3


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def changes() -> list[bool]:
    return []


@pytest.fixture
def closed(clock: Clock, changes: list[bool]) -> Breaker:
    return Breaker(crowd=CROWD, on_change=changes.append, clock=clock)


@pytest.fixture
def opened(closed: Breaker) -> Breaker:
    end(closed, *["failed"] * breaker.FAILURES_IN_A_ROW)
    return closed


def end(one: Breaker, *outcomes: Outcome) -> None:
    for outcome in outcomes:
        one.end(one.begin(), outcome)


def test_breaker_opens_at_the_fifth_failure_in_a_row(closed: Breaker, changes: list[bool]) -> None:
    end(closed, *["failed"] * 4)
    assert closed.judge() == "pass"
    end(closed, "failed")
    assert closed.judge() == "refuse"
    assert changes == [True]


def test_answer_in_between_begins_the_row_anew(closed: Breaker) -> None:
    end(closed, *["failed"] * 4, "answered", *["failed"] * 4)
    assert closed.judge() == "pass"


def test_end_that_says_nothing_is_neither(closed: Breaker) -> None:
    end(closed, *["failed"] * 4, *["unknown"] * 9)
    assert closed.judge() == "pass"
    end(closed, "failed")
    assert closed.judge() == "refuse"


def test_half_of_twenty_failures_open_it(closed: Breaker) -> None:
    end(closed, *["failed", "answered"] * 9)
    assert closed.judge() == "pass"
    end(closed, "answered", "failed")
    assert closed.judge() == "refuse"


def test_failures_of_another_window_do_not_count(closed: Breaker, clock: Clock) -> None:
    end(closed, *["failed", "answered"] * 9)
    clock.now += breaker.WINDOW_SECONDS
    end(closed, "answered", "failed")
    assert closed.judge() == "pass"


def test_open_breaker_lets_one_caller_ask_after_a_second(opened: Breaker, clock: Clock) -> None:
    clock.now += breaker.PAUSE_SECONDS
    assert [opened.judge() for _ in range(4)] == ["ask", "refuse", "refuse", "refuse"]


def test_next_question_comes_a_second_after_the_last_one_ended(opened: Breaker, clock: Clock) -> None:
    clock.now += breaker.PAUSE_SECONDS
    opened.judge()
    clock.now += 2
    opened.conclude(is_answered=False)
    assert opened.judge() == "refuse"
    clock.now += breaker.PAUSE_SECONDS
    assert opened.judge() == "ask"


def test_good_answer_closes_it(opened: Breaker, clock: Clock, changes: list[bool]) -> None:
    clock.now += breaker.PAUSE_SECONDS
    opened.judge()
    opened.conclude(is_answered=True)
    assert opened.judge() == "pass"
    assert changes == [True, False]


def test_call_from_before_a_change_changes_nothing(closed: Breaker, clock: Clock) -> None:
    old = [closed.begin() for _ in range(breaker.FAILURES_IN_A_ROW)]
    clock.now += 1
    end(closed, *["failed"] * breaker.FAILURES_IN_A_ROW)
    clock.now += breaker.PAUSE_SECONDS
    closed.judge()
    closed.conclude(is_answered=True)
    for number in old:
        closed.end(number, "failed")
    assert closed.judge() == "pass"


def test_crowd_that_waits_for_long_makes_a_caller_ask(closed: Breaker, clock: Clock) -> None:
    for _ in range(CROWD):
        closed.begin()
    clock.now += breaker.LONG_WAIT_SECONDS - 1
    assert closed.judge() == "pass"
    clock.now += 1
    assert [closed.judge(), closed.judge()] == ["ask", "pass"]


@pytest.mark.parametrize(("is_answered", "verdict"), [(True, "pass"), (False, "refuse")])
def test_crowd_s_question_decides(closed: Breaker, clock: Clock, is_answered: bool, verdict: str) -> None:
    for _ in range(CROWD):
        closed.begin()
    clock.now += breaker.LONG_WAIT_SECONDS
    closed.judge()
    closed.conclude(is_answered=is_answered)
    assert closed.judge() == verdict


@pytest.mark.parametrize(("is_answered", "verdict"), [(True, "pass"), (False, "refuse")])
def test_question_decides_whether_five_that_were_late_are_the_server_s(
    closed: Breaker, is_answered: bool, verdict: str
) -> None:
    end(closed, *["late"] * breaker.FAILURES_IN_A_ROW)
    assert [closed.judge(), closed.judge()] == ["ask", "pass"]
    closed.conclude(is_answered=is_answered)
    assert closed.judge() == verdict


def test_answered_question_begins_the_row_anew(closed: Breaker) -> None:
    end(closed, *["late"] * breaker.FAILURES_IN_A_ROW)
    closed.judge()
    closed.conclude(is_answered=True)
    end(closed, *["failed"] * (breaker.FAILURES_IN_A_ROW - 1))
    assert closed.judge() == "pass"


class Callers(RuleBasedStateMachine):
    """Calls that begin, end and ask in any order, at any pace."""

    @initialize()
    def set_up(self) -> None:
        self.clock = Clock()
        self.breaker = Breaker(crowd=CROWD, on_change=lambda _: None, clock=self.clock)
        self.under_way: deque[int] = deque()
        self.is_asking, self.asked_at = False, 0.0

    @rule()
    def call(self) -> None:
        was_open = self.breaker.is_open
        verdict = self.breaker.judge()
        if verdict == "ask":
            assert not self.is_asking
            assert self.clock.now - self.asked_at >= breaker.PAUSE_SECONDS
            self.is_asking = True
        elif verdict == "pass":
            assert not was_open
            self.under_way.append(self.breaker.begin())
        else:
            assert was_open

    @precondition(lambda self: self.is_asking)
    @rule(is_answered=strategies.booleans())
    def conclude(self, is_answered: bool) -> None:
        self.breaker.conclude(is_answered=is_answered)
        self.is_asking, self.asked_at = False, self.clock.now
        assert self.breaker.is_open != is_answered

    @precondition(lambda self: self.under_way)
    @rule(outcome=strategies.sampled_from(["answered", "failed", "late", "unknown"]), is_oldest=strategies.booleans())
    def end(self, outcome: Outcome, is_oldest: bool) -> None:
        number = self.under_way.popleft() if is_oldest else self.under_way.pop()
        was_open = self.breaker.is_open
        self.breaker.end(number, outcome)
        assert was_open or outcome == "failed" or not self.breaker.is_open

    @rule(seconds=strategies.sampled_from([0.1, 1.0, 5.0, 30.0]))
    def wait(self, seconds: float) -> None:
        self.clock.now += seconds

    @precondition(lambda self: self.breaker.is_open and not self.is_asking)
    @rule()
    def nobody_is_refused_for_ever(self) -> None:
        self.clock.now += breaker.PAUSE_SECONDS
        assert self.breaker.judge() == "ask"
        self.breaker.conclude(is_answered=False)
        self.asked_at = self.clock.now

    @invariant()
    def nothing_is_forgotten(self) -> None:
        if hasattr(self, "under_way"):
            assert self.breaker._waiting.keys() == set(self.under_way)


TestCallers = Callers.TestCase
TestCallers.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
