"""What is asked about what, and for how long: asks all subjects at once, each in a thread with a deadline.

A subject's questions follow one another, and a subject that cannot be reached is asked no more: its other questions
are unknown. Something that hangs costs its own deadline and nobody else's.
"""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import structlog
from django.db import connection

from mlflow_proxy.health import configuration, database, experiments, mlflow, posture, store
from mlflow_proxy.health.answers import Probe, Status, ask
from mlflow_proxy.health.guide import GUIDES

log = structlog.get_logger(__name__)

Walk = Callable[[], Iterator[Probe]]


@dataclass(frozen=True, slots=True)
class Subject:
    """Questions that follow one another: ``names`` in order, as far as they apply here; ``seconds`` for all."""

    title: str
    names: Callable[[], tuple[str, ...]]
    walk: Walk
    seconds: float


def _walk_database() -> Iterator[Probe]:
    reached = ask("database", database.ask_database)
    yield reached
    if reached.passed:
        yield ask("clock_database", database.ask_clock, on_fault="unknown")


def _walk_mlflow() -> Iterator[Probe]:
    for probe in mlflow.walk():
        yield probe
        if probe.name == "mlflow" and not probe.passed:
            return
    yield from experiments.walk()


def _walk_store() -> Iterator[Probe]:
    for probe in store.walk():
        yield probe
        if probe.name == "artifact_store" and not probe.passed:
            return
    yield from posture.walk()


SUBJECTS = (
    Subject(
        "The portal's settings", lambda: ("artifacts_enabled", "artifact_destination"), configuration.walk, seconds=5
    ),
    Subject("The portal's database", lambda: ("database", "clock_database"), _walk_database, seconds=10),
    Subject(
        "MLflow",
        lambda: ("mlflow", "mlflow_layout", "mlflow_artifacts", "artifact_root", "experiment_locations"),
        _walk_mlflow,
        seconds=20,
    ),
    Subject("The artifact store", lambda: store.step_names() + posture.names(), _walk_store, seconds=30),
)


def expected_names(subjects: tuple[Subject, ...] = SUBJECTS) -> list[str]:
    """Return the probes that are asked with these settings, in order."""
    return [name for subject in subjects for name in subject.names()]


def ask_all(on_answer: Callable[[Probe], None] | None = None, subjects: tuple[Subject, ...] = SUBJECTS) -> list[Probe]:
    """Ask everything and return an answer for each expected name, in order, by the longest deadline at most.

    ``on_answer`` is told each answer as it comes, in this thread.
    """
    answers: queue.Queue[Probe | Subject] = queue.Queue()
    waiting = {subject.title: subject for subject in subjects if _begin(subject, answers)}
    left = {subject.title for subject in subjects} - waiting.keys()
    found: dict[str, Probe] = {}
    for probe in _until_late(waiting, answers):
        found[probe.name] = probe
        if on_answer:
            on_answer(probe)
    silent = left | waiting.keys()
    return [probe for subject in subjects for probe in _settled(subject, found, is_silent=subject.title in silent)]


def _until_late(waiting: dict[str, Subject], answers: "queue.Queue[Probe | Subject]") -> Iterator[Probe]:
    """Yield answers until each subject is through or late; those that are late stay in ``waiting``."""
    began_at = time.monotonic()
    while soonest := min(
        (end for subject in waiting.values() if (end := _remaining(subject, began_at)) > 0), default=0
    ):
        try:
            answer = answers.get(timeout=soonest)
        except queue.Empty:
            continue
        if isinstance(answer, Subject):
            del waiting[answer.title]
        else:
            yield answer


def _remaining(subject: Subject, began_at: float) -> float:
    return began_at + subject.seconds - time.monotonic()


# A thread cannot be ended from outside: one that hangs is left, and its subject not asked again until it is through.
_running: dict[str, threading.Thread] = {}


def _begin(subject: Subject, answers: "queue.Queue[Probe | Subject]") -> bool:
    earlier = _running.get(subject.title)
    if earlier is not None and earlier.is_alive():
        return False

    def walk() -> None:
        try:
            for probe in subject.walk():
                answers.put(probe)
        except Exception:
            log.exception("health_walk_failed", subject=subject.title)
        finally:
            connection.close()
            answers.put(subject)

    _running[subject.title] = threading.Thread(target=walk, name=f"health: {subject.title}", daemon=True)
    _running[subject.title].start()
    return True


def _settled(subject: Subject, found: dict[str, Probe], *, is_silent: bool) -> Iterator[Probe]:
    """Yield an answer for each name: what was found, where the walk fell silent, and what was not asked then."""
    is_first = True
    for name in subject.names():
        if name in found:
            yield found[name]
            continue
        if is_first and is_silent:
            yield _silence(name, subject)
        else:
            yield Probe(name, "unknown", 0.0, reason="NOT_ASKED", hint="First see to what stands above it.")
        is_first = False


def _silence(name: str, subject: Subject) -> Probe:
    status: Status = "unknown" if GUIDES[name].weight == "minor" else "failed"
    detail, hint = (
        f"no answer in {subject.seconds:.0f} s",
        "It takes connections and hangs: look at its load and disks.",
    )
    return Probe(name, status, subject.seconds * 1000, reason="PROBE_TIMED_OUT", detail=detail, hint=hint)
