"""The record of a soak: goes on where a run broke off, begins anew after a whole one, and forgets no violation."""

from pathlib import Path
from typing import Any

import pytest

from tests.live import ledger, tables
from tests.live.ledger import Ledger
from tests.live.trials import Trial


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = {"FOLDER": tmp_path, "SEED": 0, "ONLY": [], "ENDS_AT": float("inf"), "NAMES": ("name", "b")}
    for name, value in facts.items():
        monkeypatch.setattr(ledger, name, value)
    monkeypatch.setattr(tables, "TABLES", [])


def opened(count: int = 4, *, name: str = "name") -> Ledger:
    """Open a record as a run of its own does."""
    ledger._forget_a_whole_soak.cache_clear()
    return Ledger(name, count, test="test", columns=("new",))


def line(number: int, complaint: str = "") -> dict[str, Any]:
    return {"number": number, "row": "fault", "words": ["new"], "complaint": complaint}


TRIALS = [Trial(number, "folder", "nothing", 1, False, False, number) for number in range(4)]


def numbers(record: Ledger) -> list[int]:
    return [trial.number for batch in record.batches(TRIALS, 3, room=0) for trial in batch]


def test_record_of_a_broken_off_run_goes_on_with_its_seed() -> None:
    first = opened()
    first.keep([line(0), line(2)])
    second = opened()
    assert (second.seed, numbers(second)) == (first.seed, [1, 3])


def test_record_passes_over_half_a_line() -> None:
    first = opened()
    first.keep([line(0)])
    with first.path.open("a") as file:
        file.write('{"number": 1, "ro')
    assert numbers(opened()) == [1, 2, 3]
    opened().keep([line(1)])
    assert numbers(opened()) == [2, 3]


def test_records_of_a_whole_soak_begin_anew() -> None:
    first, other = opened(), opened(1, name="b")
    first.keep(map(line, range(4)))
    other.keep([line(0)])
    second = opened()
    assert second.seed != first.seed
    assert numbers(second) == [0, 1, 2, 3]


def test_whole_record_stays_while_another_is_not_whole() -> None:
    first, _ = opened(), opened(1, name="b")
    first.keep(map(line, range(4)))
    second = opened()
    assert (second.seed, numbers(second)) == (first.seed, [])
    second.conclude()
    assert "4 of 4, 0 of them in this run" in tables.TABLES[0][1]


@pytest.mark.parametrize("change", [{"SEED": 7}, {}], ids=["seed", "count"])
def test_record_of_another_plan_begins_anew(monkeypatch: pytest.MonkeyPatch, change: dict[str, int]) -> None:
    opened().keep([line(0)])
    for name, value in change.items():
        monkeypatch.setattr(ledger, name, value)
    assert opened(4 if change else 5).lines == []


def test_record_tries_no_more_when_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "ENDS_AT", 0.0)
    assert numbers(opened()) == []


def test_record_of_one_trial_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    opened().keep([line(0)])
    monkeypatch.setattr(ledger, "ONLY", [0])
    alone = opened()
    assert numbers(alone) == [0]
    alone.keep([line(0)])
    alone.conclude()
    monkeypatch.setattr(ledger, "ONLY", [])
    assert numbers(opened()) == [1, 2, 3]


def test_conclusion_of_a_part_is_no_pass() -> None:
    record = opened()
    record.keep([line(0)])
    with pytest.raises(pytest.skip.Exception, match="1 of 4 are done"):
        record.conclude()


def test_conclusion_fails_for_a_violation_of_an_earlier_run_and_says_how_to_repeat_it() -> None:
    opened().keep([line(1, "a part is visible")])
    record = opened()
    record.keep([line(0), line(2), line(3)])
    with pytest.raises(AssertionError, match=f"a part is visible.*(\n.*)*SOAK_SEED={record.seed} SOAK_ONLY=1 "):
        record.conclude()


def test_conclusion_puts_a_table_on_the_report() -> None:
    record = opened()
    record.keep([line(0), line(1), line(2), line(3) | {"words": ["told 503"]}])
    record.conclude()
    ((_, table),) = tables.TABLES
    assert [row.split() for row in table.splitlines()[1:]] == [
        ["tried", "new", "told", "503", "violations"],
        ["fault", "4", "3", "1", "0"],
        ["total", "4", "3", "1", "0"],
    ]
