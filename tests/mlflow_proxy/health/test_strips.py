"""The history strips: slots, the worst of each, and gaps where nobody looked."""

import datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlflow_proxy.health import strips

MINUTE = datetime.timedelta(minutes=1)
SLOT = 10 * MINUTE
END = datetime.datetime(2026, 11, 20, 12, 34, tzinfo=datetime.UTC)


def drawn(*lit: tuple[int, str], hold: datetime.timedelta = SLOT * 0, slots: int = 6) -> list[tuple[int, int, str]]:
    """Bars of checks so many minutes before the end."""
    checks = [(END - minutes * MINUTE, light) for minutes, light in lit]
    return [(bar.x, bar.width, bar.light) for bar in strips.draw(checks, END, SLOT, slots, hold).bars]


def test_strip_without_checks_is_one_gap() -> None:
    assert drawn() == [(0, 6, "")]


def test_strip_ends_with_the_slot_of_now() -> None:
    assert drawn((0, "green")) == [(0, 5, ""), (5, 1, "green")]
    assert strips.draw([], END, SLOT, 6, SLOT).start == END.replace(hour=11, minute=40)


def test_slot_has_the_worst_of_its_checks() -> None:
    assert drawn((1, "green"), (2, "red"), (3, "amber")) == [(0, 5, ""), (5, 1, "red")]


def test_slots_of_one_light_are_one_bar() -> None:
    assert drawn((25, "green"), (15, "green"), (5, "red")) == [(0, 2, ""), (2, 2, "green"), (4, 1, "red"), (5, 1, "")]


def test_light_holds_between_checks_for_a_while() -> None:
    assert drawn((44, "amber"), hold=2 * SLOT) == [(0, 1, ""), (1, 3, "amber"), (4, 2, "")]


def test_light_holds_no_further_than_the_next_check() -> None:
    assert drawn((54, "red"), (34, "green"), hold=SLOT) == [(0, 2, "red"), (2, 2, "green"), (4, 2, "")]


@pytest.mark.parametrize("minutes", [60, 1000, -20])
def test_check_outside_of_the_strip_is_left_out(minutes: int) -> None:
    assert drawn((minutes, "red")) == [(0, 6, "")]


def test_title_says_when_and_what() -> None:
    bars = strips.draw([(END - 15 * MINUTE, "red")], END, SLOT, 6, SLOT * 0).bars
    assert bars[1].title == "20 Nov 12:10 to 12:20 UTC: failed"


def test_summary_says_how_much_of_each() -> None:
    strip = strips.draw([(END - 15 * MINUTE, "red"), (END, "green")], END, SLOT, 4, SLOT * 0)
    assert strip.summary == "25 % well, 25 % failed, 50 % not checked"


LIT = st.lists(st.tuples(st.integers(-30, 2000), st.sampled_from(["green", "amber", "red"])))


@given(LIT, st.integers(1, 200), st.integers(0, 5))
def test_bars_cover_the_strip_without_gap_or_overlap(lit, slots, hold) -> None:
    bars = drawn(*lit, slots=slots, hold=hold * SLOT)
    assert bars[0][0] == 0
    assert sum(width for _, width, _ in bars) == slots
    assert all(x + width == after for (x, width, _), (after, _, _) in pairwise(bars))
    assert all(first[2] != second[2] for first, second in pairwise(bars))
