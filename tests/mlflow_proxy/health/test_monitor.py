"""A round of health: asked, kept, told, and never two at once."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import OperationalError

from mlflow_proxy import leases
from mlflow_proxy.health import alerts, history, monitor, subjects
from mlflow_proxy.health.answers import Probe
from mlflow_proxy.models import StorageCheck

NAMES = ["mlflow", "artifact_store"]


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[..., list[Probe]]], None]:
    """Put something in the place of the questions, which have tests of their own."""

    def replace(ask_all: Callable[..., list[Probe]]) -> None:
        monkeypatch.setattr(subjects, "ask_all", ask_all)
        monkeypatch.setattr(subjects, "expected_names", lambda: NAMES)

    replace(lambda _: [Probe(name, "passed", 1.0) for name in NAMES])
    return replace


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    heard: list[Any] = []
    monkeypatch.setattr(alerts, "tell", lambda check, probes: heard.append((check.light, len(probes))))
    return heard


@pytest.mark.django_db
def test_check_is_kept_and_told(ask: Any, told: list[Any]) -> None:
    check = monitor.check("worker")
    assert history.latest() == check
    assert (check.light, check.expected, told) == ("green", 2, [("green", 2)])


@pytest.mark.django_db
def test_check_while_another_is_made_is_none_and_asks_nobody(ask: Any, told: list[Any], forbid: Any) -> None:
    forbid(subjects, "ask_all")
    with leases.single_flight(monitor.NAME, seconds=60):
        # On PostgreSQL a lock is the connection's, so the other one asks from a thread with its own.
        answers: list[Any] = []
        thread = threading.Thread(target=lambda: answers.append(monitor.check("page")))
        if leases.connection.vendor == "sqlite":
            answers.append(monitor.check("page"))
        else:
            thread.start()
            thread.join()
    assert answers == [None]
    assert not StorageCheck.objects.exists()


@pytest.mark.django_db
def test_check_shows_its_answers_while_it_runs(ask: Any, told: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitor, "PAUSE_BETWEEN_NOTES", 0)
    seen: list[int] = []

    def ask_all(on_answer: Callable[[Probe], None]) -> list[Probe]:
        probes = [Probe(name, "passed", 1.0) for name in NAMES]
        for probe in probes:
            on_answer(probe)
            seen.append(len(StorageCheck.objects.get().answers))
        return probes

    ask(ask_all)
    monitor.check("page")
    assert seen == [1, 2]


@pytest.mark.django_db
def test_check_notes_a_few_times_a_second_at_most(
    ask: Any, told: list[Any], django_assert_max_num_queries: Any
) -> None:
    def ask_all(on_answer: Callable[[Probe], None]) -> list[Probe]:
        for _ in range(500):
            on_answer(Probe("mlflow", "passed", 1.0))
        return [Probe(name, "passed", 1.0) for name in NAMES]

    ask(ask_all)
    with django_assert_max_num_queries(60):
        monitor.check("page")


@pytest.fixture
def _aside_ends() -> Iterator[None]:
    yield
    for thread in threading.enumerate():
        if thread.name == "storage-check":
            thread.join(30)


@pytest.mark.usefixtures("_aside_ends")
def test_check_aside_survives_a_database_that_is_gone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def gone(*args: Any, **kwargs: Any) -> None:
        raise OperationalError

    monkeypatch.setattr(monitor, "check", gone)
    monitor.check_aside("page").join(30)
    assert "storage_check_failed" in caplog.text


@pytest.mark.usefixtures("_aside_ends")
def test_check_aside_returns_although_the_check_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    end = threading.Event()
    monkeypatch.setattr(monitor, "MOMENT", 0.1)
    monkeypatch.setattr(monitor, "check", lambda *_: end.wait(60) and None)
    thread = monitor.check_aside("page")
    assert thread.is_alive()
    end.set()


@pytest.mark.usefixtures("_aside_ends")
def test_check_aside_returns_when_the_check_can_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    end, seen = threading.Event(), []

    def check(asked_by: str, on_begin: Callable[[], None]) -> None:
        seen.append(asked_by)
        on_begin()
        end.wait(60)

    monkeypatch.setattr(monitor, "MOMENT", 60)
    monkeypatch.setattr(monitor, "check", check)
    thread = monitor.check_aside("page")
    assert (seen, thread.is_alive()) == (["page"], True)
    end.set()
