"""Parts of an upload: where the cuts fall, and how many are on their way at once."""

import os
import threading
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlflow_proxy.artifacts import parts
from tests.mlflow_proxy.portal import eventually

PART = 10


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "SMALLEST", PART)


@pytest.fixture(autouse=True)
def _spare_buffers_are_back() -> None:
    """They belong to the process, and come back a moment after the part that had them has arrived."""
    crew = parts._crew(os.getpid())
    eventually(lambda: crew.spare._value == parts.SPARE_BUFFERS)


def lengths(*sizes: int) -> list[int]:
    return [len(part) for part in parts.cut(bytes(size) for size in sizes)]


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([], [0]),
        ([0], [0]),
        ([1], [1]),
        ([PART - 1], [PART - 1]),
        ([PART], [PART, 0]),
        ([PART + 1], [PART, 1]),
        ([PART - 1, 1], [PART, 0]),
        ([3 * PART + 4], [PART, PART, PART, 4]),
        ([4, 4, 4], [PART, 2]),
    ],
)
def test_cut_falls_on_full_parts_and_ends_with_a_shorter_one(sizes: list[int], expected: list[int]) -> None:
    assert lengths(*sizes) == expected


# The patched size is the same for every example.
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pieces=st.lists(st.binary(max_size=35), max_size=12))
def test_cut_loses_and_moves_no_byte(pieces: list[bytes]) -> None:
    assert b"".join(parts.cut(pieces)) == b"".join(pieces)


def test_cut_takes_no_more_of_the_upload_than_the_part_needs() -> None:
    taken = []

    def upload() -> Iterator[bytes]:
        for number in range(100):
            taken.append(number)
            yield bytes(5)

    next(parts.cut(upload()))
    assert taken == [0, 1]


def test_parts_double_after_every_two_thousand() -> None:
    numbers = (1, 2000, 2001, 4000, 4001, 10_000)
    assert [parts.size_of(number) for number in numbers] == [10, 10, 20, 20, 40, 160]


def test_ten_thousand_parts_carry_302_gib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    # 302.7 GiB: 2,000 parts each of 5, 10, 20, 40 and 80 MiB.
    assert sum(map(parts.size_of, range(1, parts.MAXIMUM_PARTS + 1))) == 310_000 * parts.MIB


class Road:
    """Carries parts, and holds those that ``is_held`` until it is told to open."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.lock = threading.Lock()
        self.carried: list[int] = []
        self.under_way = self.most_under_way = 0
        self.held: Callable[[], bool] = lambda: threading.current_thread().name.startswith("artifact-part")

    def carry(self, number: int, part: bytearray) -> None:
        with self.lock:
            self.under_way += 1
            self.most_under_way = max(self.most_under_way, self.under_way)
        if self.held():
            assert self.open.wait(30)
        with self.lock:
            self.under_way -= 1
            self.carried.append(number)


@pytest.fixture
def road() -> Iterator[Road]:
    road = Road()
    yield road
    road.open.set()


def test_convoy_carries_every_part_once(road: Road) -> None:
    road.open.set()
    convoy = parts.Convoy(road.carry)
    for number in range(1, 21):
        convoy.send(number, bytearray(1))
    convoy.arrive()
    assert sorted(road.carried) == list(range(1, 21))


def test_convoy_keeps_to_the_spare_buffers_and_the_transfers_own(road: Road) -> None:
    convoy = parts.Convoy(road.carry)
    for number in range(1, 10):
        convoy.send(number, bytearray(1))
    eventually(lambda: road.under_way == parts.SPARE_BUFFERS)
    assert road.most_under_way <= parts.SPARE_BUFFERS + 1
    assert road.carried == list(range(parts.SPARE_BUFFERS + 1, 10))


def test_convoys_of_one_process_share_the_spare_buffers(road: Road) -> None:
    convoys = [parts.Convoy(road.carry) for _ in range(4)]
    for convoy in convoys:
        convoy.send(1, bytearray(1))
    eventually(lambda: road.under_way == parts.SPARE_BUFFERS)
    assert len(road.carried) == len(convoys) - parts.SPARE_BUFFERS


def test_convoy_gives_spare_buffers_back(road: Road) -> None:
    road.open.set()
    for _ in range(5):
        convoy = parts.Convoy(road.carry)
        for number in range(1, 5):
            convoy.send(number, bytearray(1))
        convoy.arrive()
    threads: list[str] = []
    convoy = parts.Convoy(lambda _number, _part: threads.append(threading.current_thread().name))
    eventually(lambda: parts._crew(os.getpid()).spare._value == parts.SPARE_BUFFERS)
    convoy.send(1, bytearray(1))
    convoy.arrive()
    assert threads[0].startswith("artifact-part")


class LostError(Exception):
    pass


def lose(number: int, part: bytearray) -> None:
    raise LostError(number)


def test_convoy_arrival_raises_what_a_part_met() -> None:
    convoy = parts.Convoy(lose)
    convoy.send(1, bytearray(1))
    with pytest.raises(LostError):
        convoy.arrive()


def test_convoy_send_raises_what_an_earlier_part_met() -> None:
    convoy = parts.Convoy(lose)
    convoy.send(1, bytearray(1))
    eventually(convoy._under_way[0].done)
    with pytest.raises(LostError):
        convoy.send(2, bytearray(1))


def test_convoy_raises_what_the_transfers_own_part_met(road: Road) -> None:
    blockers = parts.Convoy(road.carry)
    for number in range(1, parts.SPARE_BUFFERS + 1):
        blockers.send(number, bytearray(1))
    with pytest.raises(LostError):
        parts.Convoy(lose).send(1, bytearray(1))


def test_convoy_failure_gives_the_spare_buffer_back() -> None:
    convoy = parts.Convoy(lose)
    for number in range(1, 4):
        convoy.send(number, bytearray(1))
        with pytest.raises(LostError):
            convoy.arrive()
    eventually(lambda: parts._crew(os.getpid()).spare._value == parts.SPARE_BUFFERS)


def test_halt_waits_for_what_is_under_way(road: Road) -> None:
    convoy = parts.Convoy(road.carry)
    convoy.send(1, bytearray(1))
    eventually(lambda: road.under_way == 1)
    threading.Timer(0.05, road.open.set).start()
    convoy.halt()
    assert road.carried == [1]


def test_halt_after_a_failure_raises_nothing() -> None:
    convoy = parts.Convoy(lose)
    convoy.send(1, bytearray(1))
    convoy.halt()
    convoy.arrive()
    assert convoy._under_way == []
