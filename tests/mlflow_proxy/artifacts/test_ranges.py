"""Single ranges against a model that knows nothing but byte positions (RFC 9110 §14), and lists of entity tags."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlflow_proxy.artifacts import ranges
from mlflow_proxy.exceptions import RangeRefusedError

SIZES = st.integers(0, 50)
POSITIONS = st.integers(0, 60)


def positions_asked(first: int | None, last: int | None, size: int) -> list[int]:
    """Return what §14.1.2 calls the satisfiable bytes, counted one by one."""
    everything = range(size)
    if first is None:
        return [position for position in everything if position >= size - (last or 0)]
    return [position for position in everything if first <= position and (last is None or position <= last)]


def spelled(first: int | None, last: int | None) -> str:
    return f"bytes={'' if first is None else first}-{'' if last is None else last}"


@given(first=POSITIONS, length=st.integers(0, 60) | st.none(), size=SIZES)
def test_range_from_a_position_selects_what_the_model_selects(first: int, length: int | None, size: int) -> None:
    last = None if length is None else first + length
    asked = positions_asked(first, last, size)
    if asked:
        assert ranges.select(spelled(first, last), size) == (asked[0], asked[-1])
    else:
        with pytest.raises(RangeRefusedError):
            ranges.select(spelled(first, last), size)


@given(length=POSITIONS, size=SIZES)
def test_range_of_the_last_bytes_selects_what_the_model_selects(length: int, size: int) -> None:
    asked = positions_asked(None, length, size)
    if asked:
        assert ranges.select(spelled(None, length), size) == (asked[0], asked[-1])
    else:
        with pytest.raises(RangeRefusedError):
            ranges.select(spelled(None, length), size)


@given(header=st.text(max_size=30) | st.from_regex(r"bytes=[-0-9, ]*"), size=SIZES)
def test_any_header_selects_bytes_inside_or_nothing_or_is_refused(header: str, size: int) -> None:
    first, last = 0, size - 1
    with contextlib.suppress(RangeRefusedError):
        first, last = ranges.select(header, size) or (0, size - 1)
    assert 0 <= first <= last + (not size) <= size


@pytest.mark.parametrize(
    "header", ["", "bytes", "bytes=", "bytes=-", "bytes=5-2", "bytes=0-1,3-4", "bytes=a-b", "bytes=+1-2", "lines=0-1"]
)
def test_range_that_is_no_single_one_of_bytes_is_answered_whole(header: str) -> None:
    assert ranges.select(header, 10) is None


def test_range_in_digits_of_another_script_is_answered_whole() -> None:
    assert ranges.select("bytes=\u0660-\u0663", 10) is None


def test_range_unit_is_read_in_any_case() -> None:
    assert ranges.select("Bytes=2-3", 10) == (2, 3)


@pytest.mark.parametrize("header", [f"bytes=0-{'9' * 6000}", f"bytes=-{'9' * 6000}", f"bytes={'9' * 6000}-"])
def test_range_with_a_number_beyond_all_sizes_is_answered_whole(header: str) -> None:
    assert ranges.select(header, 10) is None


def test_refused_range_carries_the_size() -> None:
    with pytest.raises(RangeRefusedError) as refusal:
        ranges.select("bytes=10-", 10)
    assert refusal.value.size == 10


@pytest.mark.parametrize("header", ['"a"', 'W/"a"', '"b", "a"', '"b",W/"a"', "*"])
def test_tag_list_names_the_tag_compared_weakly(header: str) -> None:
    assert ranges.names(header, '"a"')


@pytest.mark.parametrize("header", ["", '"b"', "a", '"A"', '"a" "b"'])
def test_tag_list_without_the_tag_does_not_name_it(header: str) -> None:
    assert not ranges.names(header, '"a"')


@pytest.mark.parametrize(("header", "is_named"), [('"a"', True), ("*", True), ('"b", "a"', True), ('W/"a"', False)])
def test_tag_list_compared_strongly_ignores_weak_tags(header: str, is_named: bool) -> None:
    assert ranges.names(header, '"a"', is_strong=True) is is_named
