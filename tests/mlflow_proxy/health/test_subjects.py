"""All subjects at once: everything gets an answer in time, and what hangs costs only itself."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import OperationalError, connection

from mlflow_proxy.exceptions import UpstreamRefusedError
from mlflow_proxy.health import database, subjects
from mlflow_proxy.health.answers import Probe, ask, failed, named
from mlflow_proxy.health.guide import GUIDES
from mlflow_proxy.health.subjects import Subject
from tests.mlflow_proxy.health.answers import like_mlflow
from tests.mlflow_proxy.portal import eventually
from tests.mlflow_proxy.stub import Stub

STORE = ("artifact_store", "artifact_write", "bucket_versioning")
# Long enough for the answer before the one that never comes.
LATE_SECONDS = 3.0


@pytest.fixture(autouse=True)
def _no_running_walks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subjects, "_running", {})


def subject(walk: Callable[[], Iterator[Probe]], *names: str, title: str = "s", seconds: float = 30) -> Subject:
    return Subject(title, lambda: names or STORE, walk, seconds)


def good(*names: str) -> Iterator[Probe]:
    for name in names:
        yield Probe(name, "passed", 1.0)


@pytest.fixture
def hanging() -> Iterator[Callable[[], Iterator[Probe]]]:
    """A walk that answers once and then hangs, until the test is over."""
    end = threading.Event()

    def walk() -> Iterator[Probe]:
        yield Probe(STORE[0], "passed", 1.0)
        end.wait(60)

    yield walk
    end.set()


def told(probes: list[Probe]) -> list[tuple[str, str, str]]:
    return [(probe.name, probe.status, probe.reason) for probe in probes]


def test_answers_come_in_the_order_of_the_names() -> None:
    probes = subjects.ask_all(subjects=(subject(lambda: good(*reversed(STORE))),))
    assert [probe.name for probe in probes] == list(STORE)


def test_walk_that_ends_early_leaves_the_rest_unknown() -> None:
    probes = subjects.ask_all(subjects=(subject(lambda: good(STORE[0])),))
    assert told(probes)[1:] == [(STORE[1], "unknown", "NOT_ASKED"), (STORE[2], "unknown", "NOT_ASKED")]


def test_walk_that_hangs_is_given_up_and_says_where(hanging: Any) -> None:
    probes = subjects.ask_all(subjects=(subject(hanging, seconds=LATE_SECONDS),))
    assert told(probes) == [
        (STORE[0], "passed", ""),
        (STORE[1], "failed", "PROBE_TIMED_OUT"),
        (STORE[2], "unknown", "NOT_ASKED"),
    ]


def test_walk_that_hangs_at_a_minor_question_leaves_it_unknown(hanging: Any) -> None:
    probes = subjects.ask_all(subjects=(subject(hanging, STORE[0], STORE[2], seconds=LATE_SECONDS),))
    assert told(probes)[1] == (STORE[2], "unknown", "PROBE_TIMED_OUT")


def test_walk_that_hangs_does_not_hold_up_another(hanging: Any) -> None:
    answers = subjects.ask_all(
        subjects=(subject(hanging, seconds=0.2), subject(lambda: good("mlflow"), "mlflow", title="other"))
    )
    assert told(answers)[-1] == ("mlflow", "passed", "")


def test_walk_that_still_hangs_is_not_begun_again(hanging: Any) -> None:
    begun = []

    def walk() -> Iterator[Probe]:
        begun.append(1)
        yield from hanging()

    for _ in range(3):
        probes = subjects.ask_all(subjects=(subject(walk, seconds=0.2),))
    eventually(lambda: begun)
    assert len(begun) == 1
    assert told(probes)[0] == (STORE[0], "failed", "PROBE_TIMED_OUT")


def test_walk_that_breaks_is_logged_and_leaves_the_rest_unknown(caplog: pytest.LogCaptureFixture) -> None:
    def walk() -> Iterator[Probe]:
        yield Probe(STORE[0], "passed", 1.0)
        raise RuntimeError("planted")

    probes = subjects.ask_all(subjects=(subject(walk),))
    assert told(probes)[1] == (STORE[1], "unknown", "NOT_ASKED")
    assert "health_walk_failed" in caplog.text


def test_each_answer_is_told_as_it_comes() -> None:
    heard: list[Probe] = []
    answers = subjects.ask_all(heard.append, (subject(lambda: good(*STORE)),))
    assert heard == answers


@pytest.mark.django_db
def test_everything_is_asked_and_has_a_guide(stub: Stub, folder: Any) -> None:
    stub.script = like_mlflow()
    probes = subjects.ask_all()
    assert [probe.name for probe in probes] == subjects.expected_names()
    assert {probe.name for probe in probes} <= GUIDES.keys()
    assert all(probe.hint for probe in probes if not probe.passed)


def test_every_guide_is_asked_with_a_bucket(use_bucket: Any) -> None:
    use_bucket("http://127.0.0.1:9")
    assert set(subjects.expected_names()) == GUIDES.keys()


@pytest.mark.django_db
def test_mlflow_away_fails_once_and_leaves_its_other_questions_open(stub: Stub, folder: Any) -> None:
    with stub.not_listening():
        answers = {probe.name: probe for probe in subjects.ask_all()}
    assert answers["mlflow"].status == "failed"
    others = ("mlflow_layout", "mlflow_artifacts", "artifact_root", "experiment_locations", "mlflow_store")
    assert {answers[name].status for name in others} == {"unknown"}


# How a question is asked.


def test_ask_that_meets_a_fault_answers_with_its_reason() -> None:
    def question() -> Any:
        raise UpstreamRefusedError

    assert ask("mlflow", question).reason == "UPSTREAM_REFUSED"
    assert ask("mlflow", question, on_fault="unknown").status == "unknown"


def test_ask_that_fails_has_its_hint() -> None:
    assert ask("mlflow", lambda: failed("X", "detail", "hint")).hint == "hint"


def test_named_database_fault_tells_no_address() -> None:
    assert "planted" not in " ".join(named(OperationalError("planted address")))


def test_database_that_is_gone_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone() -> None:
        raise OperationalError("planted address")

    monkeypatch.setattr(connection, "cursor", gone)
    assert ask("database", database.ask_database).reason == "DATABASE_UNAVAILABLE"
