"""Gathers in memory who used which key and what was called, and flushes every few seconds; decides nothing.

The only writer beside actions, with the ledger and the sightings that it calls. A request pays a few microseconds
under a lock. A crash loses what one interval has gathered and nothing else.
"""

import atexit
import datetime
import os
import threading
from dataclasses import dataclass

import structlog
from django.db import Error as DatabaseFault
from django.db import connections
from django.db.models import Q
from django.utils import timezone

from apikeys import conf, ledger, sightings
from apikeys.calls import FinishedCall
from apikeys.models import ApiKey
from apikeys.redaction import redact_keys
from apikeys.tallies import Tally

log = structlog.get_logger(__name__)

_lock = threading.Lock()
_pending: dict[int, "LastUse"] = {}
_addresses: set[tuple[int, str]] = set()
_tally = Tally()
_flusher_of_process: int | None = None


@dataclass(frozen=True, slots=True)
class LastUse:
    """When and from where a key was last seen by this process."""

    at: datetime.datetime
    address: str | None
    agent: str


def record(key_pk: int, address: str | None, agent: str) -> None:
    """Remember that a key was used now; returns at once and touches no database."""
    # Redacted before it is cut: half a key has no shape to find it by.
    use = LastUse(timezone.now(), address, redact_keys(agent)[:200])
    with _lock:
        _pending[key_pk] = use
        if address:
            _addresses.add((key_pk, address))
        _start_flusher()


def record_call(call: FinishedCall) -> None:
    """Count a finished call; returns at once and touches no database."""
    _tally.add(call)
    if _flusher_of_process != os.getpid():
        with _lock:
            _start_flusher()


def flush() -> int:
    """Write what was gathered and return the number of keys; what the database refuses is kept for the next time."""
    with _lock:
        batch, addresses = dict(_pending), set(_addresses)
        _pending.clear()
        _addresses.clear()
    counts = _tally.take()
    try:
        for pk, use in batch.items():
            # Another worker may have seen the key later: never turn the time back.
            ApiKey.objects.filter(Q(last_used_at__isnull=True) | Q(last_used_at__lt=use.at), pk=pk).update(
                last_used_at=use.at, last_used_ip=use.address, last_used_agent=use.agent
            )
        sightings.write(addresses)
        if counts.calls:
            ledger.add(counts)
    except DatabaseFault as error:
        log.warning("usage_flush_failed", error=type(error).__name__, keys=len(batch))
        _tally.put_back(counts)
        with _lock:
            _addresses.update(addresses)
            for pk, use in batch.items():
                _pending.setdefault(pk, use)
        return 0
    return len(batch)


def _start_flusher() -> None:
    # A thread does not survive fork: each worker starts its own with its first request.
    global _flusher_of_process  # noqa: PLW0603
    if _flusher_of_process != os.getpid():
        _flusher_of_process = os.getpid()
        threading.Thread(target=_flush_forever, name="usage-flusher", daemon=True).start()
        atexit.register(flush)


def _flush_forever() -> None:
    pause = threading.Event()
    while True:
        pause.wait(conf.usage_flush_seconds())
        try:
            flush()
        except Exception:
            # Without this thread last uses would stand still in silence, for as long as the worker lives.
            log.exception("usage_flusher_failed")
        connections.close_all()
