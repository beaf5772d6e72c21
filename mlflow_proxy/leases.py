"""Lets one process at a time do a thing, across all replicas, and not before it is due; does not know what it is.

PostgreSQL holds an advisory lock, which ends with its connection. SQLite knows none: there a row holds a lease, which
ends with its time. Either way the row says who began last, and when.
"""

import datetime
import hashlib
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from django.db import Error as DatabaseFault
from django.db import connection
from django.db.models import Q

from apikeys.models import database_now
from mlflow_proxy.models import Lease

NEVER = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)


@contextmanager
def single_flight(name: str, *, seconds: float, every: float = 0) -> Iterator[bool]:
    """Yield whether the thing is for this thread to do; until the block ends, nobody else is told so.

    ``seconds`` is how long others wait for a holder that died without a word, ``every`` how many must have passed
    since anybody began last. Both count by the database's clock.
    """
    has_locks = connection.vendor == "postgresql"
    with _advisory_lock(name) if has_locks else _no_lock() as is_locked:
        taken_at = _take(name, seconds, every, is_lease_needed=not has_locks) if is_locked else None
        try:
            yield taken_at is not None
        finally:
            if taken_at:
                _give_back(name, taken_at)


def _take(name: str, seconds: float, every: float, *, is_lease_needed: bool) -> datetime.datetime | None:
    now = database_now()
    Lease.objects.get_or_create(name=name, defaults={"taken_at": NEVER, "until": NEVER})
    is_due = Q(taken_at__lte=now - datetime.timedelta(seconds=every))
    is_free = Q(until__lte=now) if is_lease_needed else Q()
    until = now + datetime.timedelta(seconds=seconds)
    changed = Lease.objects.filter(is_due & is_free, name=name).update(holder=_holder(), taken_at=now, until=until)
    return now if changed else None


def _give_back(name: str, taken_at: datetime.datetime) -> None:
    # What cannot be given back ends by its time.
    with suppress(DatabaseFault):
        Lease.objects.filter(name=name, holder=_holder(), taken_at=taken_at).update(until=database_now())


@contextmanager
def _advisory_lock(name: str) -> Iterator[bool]:
    number = int.from_bytes(hashlib.sha256(f"hokusai {name}".encode()).digest()[:8], signed=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [number])
        (is_locked,) = cursor.fetchone()
    try:
        yield is_locked
    finally:
        if is_locked:
            # A connection that broke has given the lock back already.
            with suppress(DatabaseFault), connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [number])


@contextmanager
def _no_lock() -> Iterator[bool]:
    yield True


def _holder() -> str:
    return f"{socket.gethostname()}:{os.getpid()}:{threading.get_ident()}"
