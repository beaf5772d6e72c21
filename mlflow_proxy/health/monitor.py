"""One round of health: asks everything, keeps the answers, tells of changes; one at a time across all replicas."""

import threading
import time
from collections.abc import Callable

import structlog
from django.db import Error as DatabaseFault
from django.db import connection

from mlflow_proxy import leases
from mlflow_proxy.health import alerts, history, lights, subjects
from mlflow_proxy.health.answers import Probe
from mlflow_proxy.models import StorageCheck

log = structlog.get_logger(__name__)

NAME = "storage_check"
# The longest deadline of a subject, and what it takes to keep and tell.
LEASE_SECONDS = 120
PAUSE_BETWEEN_NOTES = 0.5
MOMENT = 2.0


def check(asked_by: str, on_begin: Callable[[], None] | None = None) -> StorageCheck | None:
    """Return the round that was made, None while another process makes one; raises django.db.Error."""
    with leases.single_flight(NAME, seconds=LEASE_SECONDS) as is_ours:
        if not is_ours:
            return None
        row = history.begin(asked_by, len(subjects.expected_names()))
        if on_begin:
            on_begin()
        probes = subjects.ask_all(Notes(row).take)
        history.end(row, probes)
        alerts.tell(row, probes)
        return row


def facts_of(row: StorageCheck) -> dict[str, object]:
    """Return what a log line says of a round."""
    return {"light": row.light, "failed": [probe.name for probe in lights.failures_of(history.probes_of(row))]}


class Notes:
    """Keeps the answers of a round as they come, a few times a second at most."""

    def __init__(self, row: StorageCheck) -> None:
        self._row, self._probes, self._noted_at = row, list[Probe](), time.monotonic()

    def take(self, probe: Probe) -> None:
        self._probes.append(probe)
        if time.monotonic() - self._noted_at >= PAUSE_BETWEEN_NOTES:
            history.note(self._row, self._probes)
            self._noted_at = time.monotonic()


def check_aside(asked_by: str) -> threading.Thread:
    """Begin a round in a thread of this process, and return when it can be seen to run, in a moment at most."""
    begun = threading.Event()

    def run() -> None:
        try:
            row = check(asked_by, begun.set)
            if row:
                log.info("storage_checked", asked_by=asked_by, **facts_of(row))
        except DatabaseFault as error:
            log.warning("storage_check_failed", error=type(error).__name__)
        finally:
            begun.set()
            connection.close()

    thread = threading.Thread(target=run, name="storage-check", daemon=True)
    thread.start()
    begun.wait(MOMENT)
    return thread
