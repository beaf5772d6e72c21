"""What the answer to a health question is, and how one is asked without ever raising; knows no question.

``reason`` is a closed word for everybody; ``detail`` and ``hint`` may name addresses and are for staff and
``storage:read`` alone.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from django.db import Error as DatabaseFault

from mlflow_proxy import conf
from mlflow_proxy.exceptions import ProxyError, StoreRefusedError, StoreUnavailableError
from mlflow_proxy.health.guide import GUIDES

# unknown: the question could not be asked, so the answer is neither good nor bad.
Status = Literal["passed", "failed", "unknown"]


class Outcome(NamedTuple):
    """What was found: a status, and for any but ``passed`` a reason and what to do about it."""

    status: Status
    reason: str = ""
    detail: str = ""
    hint: str = ""


def passed(detail: str = "") -> Outcome:
    return Outcome("passed", "", detail)


def failed(reason: str, detail: str, hint: str) -> Outcome:
    return Outcome("failed", reason, detail, hint)


def unknown(reason: str, detail: str, hint: str) -> Outcome:
    return Outcome("unknown", reason, detail, hint)


@dataclass(frozen=True, slots=True)
class Probe:
    """A question by name, with its answer; ``reason`` is empty when it passed, latency is in milliseconds."""

    name: str
    status: Status
    latency_ms: float
    reason: str = ""
    detail: str = ""
    hint: str = ""

    @property
    def passed(self) -> bool:
        return self.status == "passed"

    @property
    def is_critical(self) -> bool:
        """Whether the portal is not ready while this fails."""
        return GUIDES[self.name].weight == "critical"


def ask(name: str, question: Callable[[], Outcome], *, on_fault: Status = "failed") -> Probe:
    """Ask and time a question; a fault on the way becomes an answer with the status ``on_fault``.

    A question about a detail is unknown, and not failed, where its subject cannot be reached: one cause, one failure.
    """
    started = time.perf_counter()
    try:
        outcome = question()
    except (ProxyError, DatabaseFault) as error:
        outcome = Outcome(on_fault, *named(error))
    return Probe(name, outcome.status, elapsed_ms(started), outcome.reason, outcome.detail, outcome.hint)


def elapsed_ms(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 1)


def named(error: ProxyError | DatabaseFault) -> tuple[str, str, str]:
    """Return reason, detail and hint of a fault; its own sentence is for callers."""
    if isinstance(error, DatabaseFault):
        return "DATABASE_UNAVAILABLE", type(error).__name__, "See DATABASE_URL and the database's log."
    if isinstance(error, StoreRefusedError | StoreUnavailableError):
        hint = error.hint or "See whether the store at HOKUSAI_ARTIFACT_DESTINATION can be reached from here."
        return error.reason, conf.artifact_destination(), hint
    hint = UPSTREAM_HINTS.get(error.reason, "See whether MLflow runs at MLFLOW_SERVER_URL, and its log.")
    return error.reason, conf.upstream().netloc, hint


UPSTREAM_HINTS = {
    "UPSTREAM_REFUSED": "Nothing listens there. See whether MLflow runs, and whether MLFLOW_SERVER_URL has its port.",
    "UPSTREAM_NAME_UNKNOWN": "The host of MLFLOW_SERVER_URL has no address here. Correct it, or the network's DNS.",
    "UPSTREAM_UNREACHABLE": "No answer to a connection. Look at security groups and firewalls between the two.",
    "UPSTREAM_TIMED_OUT": "MLflow took the call and did not answer. Look at its load, and at its own database.",
    "UPSTREAM_GARBLED": "What listens there does not speak HTTP as MLflow does. See MLFLOW_SERVER_URL.",
}
