"""Runs the periodic jobs, a thread for each, until told to stop; knows none of them.

A job runs when it is due and no replica runs it. One that fails is logged and comes again; a database that is away is
waited for. One line a run says how long it took.
"""

import threading
import time
from collections.abc import Iterable
from contextlib import AbstractContextManager

import structlog
from django.db import Error as DatabaseFault
from django.db import connections

from hokusai_portal.jobs import Job, Report
from mlflow_proxy import leases
from mlflow_proxy.exceptions import ProxyError

log = structlog.get_logger(__name__)

# A job that still runs this long after the signal is cut off: each can be cut at any point and comes again.
GRACE_SECONDS = 8.0
WARM_UP_SECONDS, WARM_UP_LOOK = 120.0, 2.0
FIRST_BACK_OFF, LONGEST_BACK_OFF = 1.0, 60.0
SHORTEST_LOOK, LONGEST_LOOK = 1.0, 900.0
LONGEST_LEASE = 3600.0
SIGNAL_LOOK = 1.0


class Worker:
    """The threads of the jobs, and the word that ends them."""

    def __init__(self, jobs: Iterable[Job]) -> None:
        self._jobs = tuple(jobs)
        self._stopping = threading.Event()

    def run(self) -> None:
        """Run until ``stop`` is called, and a little longer for what is under way."""
        threads = [threading.Thread(target=self._repeat, args=(job,), name=job.name, daemon=True) for job in self._jobs]
        for thread in threads:
            thread.start()
        log.info("worker_started", jobs=[job.name for job in self._jobs])
        # Python's handlers run in this thread alone: a signal that another one took would not end a wait without end.
        while not self._stopping.wait(SIGNAL_LOOK):
            pass
        deadline = time.monotonic() + GRACE_SECONDS
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        log.info("worker_stopped", cut_off=[thread.name for thread in threads if thread.is_alive()])

    def stop(self) -> None:
        self._stopping.set()

    def _repeat(self, job: Job) -> None:
        turn = Turn(job)
        while not self._stopping.is_set():
            self._stopping.wait(turn.take())


class Turn:
    """One job's turns: each takes it if it is due here, and says in how many seconds to come again."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._every = job.every
        self._back_off = FIRST_BACK_OFF
        self._warm_at = time.monotonic() + WARM_UP_SECONDS

    def take(self) -> float:
        try:
            pause = self._take()
        except DatabaseFault as error:
            pause, self._back_off = self._back_off, min(2 * self._back_off, LONGEST_BACK_OFF)
            log.warning("job_waits_for_database", job=self._job.name, seconds=pause, error=type(error).__name__)
            return pause
        finally:
            # A connection that the database has closed meanwhile would be found out by the next turn alone.
            connections.close_all()
        self._back_off = FIRST_BACK_OFF
        return pause

    def _take(self) -> float:
        if time.monotonic() < self._warm_at and not self._job.may_begin():
            return WARM_UP_LOOK
        self._warm_at = 0.0
        # A little early, so that the pause between two turns does not add up.
        with _turn_of(self._job, every=0.95 * self._every) as is_due:
            if not is_due:
                return min(max(self._every / 4, SHORTEST_LOOK), LONGEST_LOOK)
            report = run_logged(self._job)
            self._every = (report and report.again_in) or self._job.every
            return self._every


def run_now(job: Job) -> bool:
    """Run a job whether it is due or not, unless a replica runs it; return whether it did not fail."""
    with _turn_of(job) as is_ours:
        return not is_ours or run_logged(job) is not None


def run_logged(job: Job) -> Report | None:
    """Run a job and say in one line how it went; return None where it failed. Raises django.db.Error."""
    began_at = time.monotonic()
    try:
        report = job.run()
    except DatabaseFault:
        raise
    except ProxyError as error:
        hint = getattr(error, "hint", "")
        log.error("job_failed", job=job.name, seconds=_since(began_at), reason=error.reason, hint=hint)  # noqa: TRY400
        return None
    except Exception:
        log.exception("job_failed", job=job.name, seconds=_since(began_at), reason="INTERNAL")
        return None
    # A job that comes every few seconds has a line where it did something.
    tell = log.info if report.facts else log.debug
    tell("job_finished", job=job.name, seconds=_since(began_at), **report.facts)
    return report


def _turn_of(job: Job, *, every: float = 0) -> AbstractContextManager[bool]:
    return leases.single_flight(f"job {job.name}", seconds=min(job.every, LONGEST_LEASE), every=every)


def _since(began_at: float) -> float:
    return round(time.monotonic() - began_at, 1)
