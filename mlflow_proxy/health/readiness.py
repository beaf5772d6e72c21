"""Whether requests can be served now: the few probes that readiness needs, asked seldom and by one thread at a time."""

import threading
import time

import structlog

from mlflow_proxy import conf
from mlflow_proxy.health import database, mlflow, store
from mlflow_proxy.health.answers import Probe, ask
from mlflow_proxy.routes import MLFLOW_SERIES

log = structlog.get_logger(__name__)

RECENT_SECONDS = 1.0
STALE_SECONDS = 10.0
STORE_SECONDS = 15.0
NOT_UP_YET = {"UPSTREAM_REFUSED", "UPSTREAM_NAME_UNKNOWN", "UPSTREAM_UNREACHABLE", "UPSTREAM_TIMED_OUT"}


def probe_all() -> list[Probe]:
    """Answer every question of readiness, in order."""
    return [
        ask("database", database.ask_database),
        ask("mlflow", mlflow.ask_api),
        ask("mlflow_layout", mlflow.ask_layout),
        *store_watch.get(),
    ]


class RecentAnswers:
    """Answers at most RECENT_SECONDS old, asked by one thread at a time: anybody may ask, and MLflow may be slow."""

    def __init__(self) -> None:
        self._asking = threading.Lock()
        self._answers: list[Probe] = []
        self._asked_at = -STALE_SECONDS

    def get(self) -> list[Probe]:
        # Whoever comes while another asks takes the last answer, unless it is from another time or there is none.
        is_stale = time.monotonic() - self._asked_at >= STALE_SECONDS
        if not self._asking.acquire(blocking=is_stale):
            return self._answers
        try:
            if time.monotonic() - self._asked_at >= RECENT_SECONDS:
                self._answers = probe_all()
                self._asked_at = time.monotonic()
            return self._answers
        finally:
            self._asking.release()


class StoreWatch:
    """The store's last answer, asked by a thread of its own: a store that hangs does not hold up readiness."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asking: threading.Thread | None = None
        self._asked_at = -STORE_SECONDS
        self._answer: Probe | None = None

    def get(self) -> list[Probe]:
        if not conf.is_direct():
            return []
        with self._lock:
            is_due = time.monotonic() - self._asked_at >= STORE_SECONDS
            if is_due and (self._asking is None or not self._asking.is_alive()):
                self._asked_at = time.monotonic()
                self._asking = threading.Thread(target=self._ask, name="store-watch", daemon=True)
                self._asking.start()
            asking = self._asking
        if asking is not None:
            asking.join(mlflow.PROBE_SECONDS)
            if asking.is_alive():
                hint = "It takes connections and hangs: look at its load, its disks and the network between."
                return [
                    Probe("artifact_store", "failed", mlflow.PROBE_SECONDS * 1000, "PROBE_TIMED_OUT", "no answer", hint)
                ]
        return [self._answer] if self._answer else []

    def _ask(self) -> None:
        self._answer = ask("artifact_store", store.ask_listing)


recent_answers, store_watch = RecentAnswers(), StoreWatch()


def verify_layout_when_up(pause_seconds: float = 2.0) -> threading.Thread:
    """Start a thread that waits until MLflow answers, then logs once whether its layout is the one the portal knows."""

    def watch() -> None:
        while (answer := ask("mlflow_layout", mlflow.ask_layout)).reason in NOT_UP_YET:
            time.sleep(pause_seconds)
        if answer.passed:
            log.info("mlflow_layout_verified", series=MLFLOW_SERIES)
        else:
            log.error("mlflow_layout_unknown", reason=answer.reason, detail=answer.detail, hint=answer.hint)

    thread = threading.Thread(target=watch, name="layout-watch", daemon=True)
    thread.start()
    return thread
