"""What is kept of the checks, for how long, and what can be read from it."""

import datetime
from collections.abc import Sequence

import pytest

from apikeys.models import database_now
from mlflow_proxy.health import history
from mlflow_proxy.health.answers import Probe, Status
from mlflow_proxy.models import HealthHour, StateChange, StorageCheck

pytestmark = pytest.mark.django_db

T0 = datetime.datetime(2026, 11, 20, 12, 30, tzinfo=datetime.UTC)


def minutes(count: float) -> datetime.timedelta:
    return datetime.timedelta(minutes=count)


def probe(status: Status = "passed", reason: str = "", name: str = "artifact_store") -> Probe:
    return Probe(name, status, 1.5, reason=reason, detail="d", hint="h")


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch):
    """A factory: a check that ended at a time, with these answers."""

    def make(moment: datetime.datetime, probes: Sequence[Probe] = (probe(),)) -> StorageCheck:
        monkeypatch.setattr(history, "database_now", lambda: moment)
        check = history.begin("worker", len(probes))
        history.end(check, probes)
        return check

    return make


def test_check_keeps_its_answers_and_light(at) -> None:
    at(T0, [probe("failed", "STORE_DENIED")])
    check = history.latest()
    assert (check.light, check.asked_by, check.ended_at) == ("red", "worker", T0)
    assert history.probes_of(check) == [probe("failed", "STORE_DENIED")]


def test_change_of_state_is_kept_once(at) -> None:
    at(T0)
    at(T0 + minutes(5))
    at(T0 + minutes(10), [probe("failed", "A")])
    at(T0 + minutes(15), [probe("failed", "A")])
    at(T0 + minutes(20), [probe("failed", "B")])
    changes = [(change.status, change.reason, change.at) for change in StateChange.objects.order_by("at")]
    assert changes == [
        ("passed", "", T0),
        ("failed", "A", T0 + minutes(10)),
        ("failed", "B", T0 + minutes(20)),
    ]


def test_states_are_the_newest_of_each_probe(at) -> None:
    at(T0, [probe(), probe(name="mlflow")])
    at(T0 + minutes(5), [probe("failed", "A"), probe(name="mlflow")])
    states = history.states_of(["artifact_store", "mlflow", "database"])
    assert {name: (change.status, change.at) for name, change in states.items()} == {
        "artifact_store": ("failed", T0 + minutes(5)),
        "mlflow": ("passed", T0),
    }


def test_hour_keeps_its_worst_light(at) -> None:
    at(T0)
    at(T0 + minutes(5), [probe("failed", "A")])
    at(T0 + minutes(10))
    at(T0 + minutes(40))
    hour = T0.replace(minute=0)
    assert history.hours_since(T0 - minutes(60)) == [(hour, "red"), (hour + minutes(60), "green")]


def test_checks_older_than_a_day_are_forgotten(at) -> None:
    at(T0)
    at(T0 + history.DAY + minutes(1))
    assert [check.ended_at for check in StorageCheck.objects.all()] == [T0 + history.DAY + minutes(1)]


def test_hours_and_changes_older_than_a_month_are_forgotten_but_for_since_when(at) -> None:
    at(T0, [probe(), probe(name="mlflow")])
    at(T0 + minutes(5), [probe("failed", "A"), probe(name="mlflow")])
    at(T0 + history.MONTH + minutes(60), [probe("failed", "A"), probe(name="mlflow")])
    assert {(change.name, change.status) for change in StateChange.objects.all()} == {
        ("artifact_store", "failed"),
        ("mlflow", "passed"),
    }
    assert HealthHour.objects.count() == 1


def test_rows_stay_bounded_over_a_month_of_checks(at) -> None:
    for count in range(24 * 40):
        at(T0 + minutes(60) * count, [probe("failed" if count % 7 == 0 else "passed", "A" if count % 7 == 0 else "")])
    assert StorageCheck.objects.count() <= 25
    assert HealthHour.objects.count() <= 24 * 30 + 1
    assert StateChange.objects.count() <= 2 * 24 * 30 / 7 + 2


def test_checks_since_are_the_oldest_first(at) -> None:
    at(T0)
    at(T0 + minutes(5), [probe("failed", "A")])
    assert history.checks_since(T0) == [(T0, "green"), (T0 + minutes(5), "red")]
    assert history.checks_since(T0 + minutes(1)) == [(T0 + minutes(5), "red")]


def test_running_check_is_seen_with_what_it_knows(at) -> None:
    check = history.begin("page", 2)
    history.note(check, [probe()])
    running = history.running(database_now())
    assert running == check
    assert history.probes_of(running) == [probe()]


def test_running_check_that_ended_is_not_running(at) -> None:
    at(database_now())
    assert history.running(database_now()) is None


def test_running_check_of_a_dead_process_is_abandoned() -> None:
    check = history.begin("page", 2)
    assert history.running(check.started_at + history.ABANDONED_AFTER) is None


def test_running_check_that_another_overtook_is_abandoned(at) -> None:
    at(T0)
    StorageCheck.objects.update(ended_at=None)
    at(T0 + minutes(1))
    assert history.running(T0 + minutes(1)) is None


def test_latest_before_any_check_is_none() -> None:
    assert history.latest() is None
    assert history.running(T0) is None
