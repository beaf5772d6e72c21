"""The breakers of this process, one for each upstream and kind of traffic: lets a call pass or refuses it.

It knows no socket: who calls says how the upstream is asked, and which error a refusal is.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

import structlog

from mlflow_proxy import conf, metrics
from mlflow_proxy.breaker import Breaker, Outcome
from mlflow_proxy.exceptions import ProxyError

log = structlog.get_logger(__name__)


@contextmanager
def guarded(
    upstream: str, traffic: str, *, is_answering: Callable[[], bool], refusal: type[ProxyError]
) -> Iterator[None]:
    """Run a call to an upstream, or raise ``refusal`` where its breaker is open.

    The call has failed when it raises an error with ``is_outage``, and was late where that is ``is_doubtful`` too.
    Once a second the caller asks first.
    """
    if not conf.has_breakers():
        yield
        return
    breaker = _breaker(upstream, traffic, os.getpid())
    verdict = breaker.judge()
    if verdict == "refuse" or (verdict == "ask" and not _ask(breaker, is_answering)):
        raise refusal()
    outcome: Outcome = "unknown"
    number = breaker.begin()
    try:
        yield
        outcome = "answered"
    except ProxyError as error:
        outcome = _outcome_of(error)
        raise
    finally:
        breaker.end(number, outcome)


def _outcome_of(error: ProxyError) -> Outcome:
    if not error.is_outage:
        return "unknown"
    return "late" if error.is_doubtful else "failed"


def _ask(breaker: Breaker, is_answering: Callable[[], bool]) -> bool:
    is_answered = False
    try:
        is_answered = is_answering()
    finally:
        breaker.conclude(is_answered=is_answered)
    return is_answered


@cache
def _breaker(upstream: str, traffic: str, pid: int) -> Breaker:
    # Each worker judges for itself: what it has seen is what its own threads wait for.
    del pid

    def tell(is_open: bool) -> None:
        metrics.note_breaker(upstream, traffic, is_open=is_open)
        if is_open:
            log.warning("breaker_opened", upstream=upstream, traffic=traffic)
        else:
            log.info("breaker_closed", upstream=upstream, traffic=traffic)

    return Breaker(crowd=conf.breaker_crowd(), on_change=tell)
