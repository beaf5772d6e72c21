"""Lets the doctor walk for staff: aside, one walk at a time, with a key of its own; keeps each hop as it ends.

The key belongs to a service that nobody else uses. Its secret is in the memory of the walk alone, and it is revoked
with the walk's end. Only the newest walk is kept: the audit trail has the others.
"""

import datetime
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict

import structlog
from django.db import Error as DatabaseFault
from django.db import connection

from apikeys import actions
from apikeys.actions import ActionRefusedError, Actor
from apikeys.models import ApiKey, Service, database_now
from apikeys.redaction import redact_keys
from mlflow_proxy import leases
from mlflow_proxy.health.answers import Probe, failed
from mlflow_proxy.health.doctor import Walk
from mlflow_proxy.health.visitors import HopFailedError
from mlflow_proxy.models import DoctorWalk

log = structlog.get_logger(__name__)

SERVICE = "hokusai-doctor"
SCOPES = ("artifact:delete", "artifact:write", "mlflow:read")
LONGEST_SECONDS = 300.0
# Longer than any walk takes, with the time for an answer that never comes: it died with its process.
LEASE_SECONDS = 480
ABANDONED_AFTER = datetime.timedelta(seconds=LEASE_SECONDS)
PAUSE_BETWEEN_NOTES = 0.5
MOMENT = 2.0
MIB = 1024**2
REFUSED_HINT = f"The doctor walks with a key of the service {SERVICE}. While that is disabled, nobody can let it walk."


def walk(portal: str, actor: Actor, on_begin: Callable[[], None] | None = None) -> DoctorWalk | None:
    """Walk to a portal and back and return what is kept of it, None while another walk is under way.

    Raises django.db.Error.
    """
    with leases.single_flight("doctor_walk", seconds=LEASE_SECONDS) as is_ours:
        if not is_ours:
            return None
        row = _begin(portal, actor)
        if on_begin:
            on_begin()
        notes = Notes(row)
        try:
            with lent_key(actor) as secret:
                for hop in Walk(portal, f"{portal}/api/mlflow", secret, notes.move):
                    notes.take(hop)
        except ActionRefusedError as error:
            notes.take(Probe("key", "failed", 0.0, reason="KEY_NOT_LENT", detail=str(error), hint=REFUSED_HINT))
        finally:
            row.ended_at = database_now()
            row.save(update_fields=["ended_at"])
        return row


def walk_aside(portal: str, actor: Actor) -> threading.Thread:
    """Begin a walk in a thread of this process, and return when it can be seen, in a moment at most."""
    begun = threading.Event()

    def run() -> None:
        try:
            if row := walk(portal, actor, begun.set):
                log.info("doctor_walked", asked_by=actor.name, hops=len(row.hops), failed=failed_names(row))
        except DatabaseFault as error:
            log.warning("doctor_walk_failed", error=type(error).__name__)
        finally:
            begun.set()
            connection.close()

    thread = threading.Thread(target=run, name="doctor-walk", daemon=True)
    thread.start()
    begun.wait(MOMENT)
    return thread


def newest() -> DoctorWalk | None:
    return DoctorWalk.objects.first()


def is_running(row: DoctorWalk, now: datetime.datetime) -> bool:
    return row.ended_at is None and row.started_at > now - ABANDONED_AFTER


def failed_names(row: DoctorWalk) -> list[str]:
    return [hop["name"] for hop in row.hops if hop["status"] == "failed"]


@contextmanager
def lent_key(actor: Actor) -> Iterator[str]:
    """Yield the secret of a key that ends with the block; raises ActionRefusedError where its service is disabled."""
    service = Service.objects.filter(service_id=SERVICE).first() or actions.create_service(
        service_id=SERVICE, description="Walks a client's way when staff ask for it. Nobody else uses it.", actor=actor
    )
    # A walk that died with its process could not end its key.
    for left in ApiKey.objects.usable().filter(service=service):
        _revoke(left, "The walk that it was for has died.", actor)
    issued = actions.issue_key(service=service, name="walk", scopes=SCOPES, expires_in_days=1, actor=actor)
    try:
        yield issued.secret.text
    finally:
        _revoke(issued.row, "The walk that it was for has ended.", actor)


def _revoke(key: ApiKey, reason: str, actor: Actor) -> None:
    # Somebody may have been quicker.
    with suppress(actions.AlreadyRevokedError):
        actions.revoke_key(key=key, reason=reason, actor=actor)


def _begin(portal: str, actor: Actor) -> DoctorWalk:
    DoctorWalk.objects.all().delete()
    row = DoctorWalk(portal=portal, asked_by=actor.name[:200], started_at=database_now())
    row.save()
    return row


class Notes:
    """Keeps the hops of a walk as they end, and how far a long one is; ends one that takes too long."""

    def __init__(self, row: DoctorWalk) -> None:
        self._row = row
        self._began_at = self._noted_at = time.monotonic()

    def take(self, hop: Probe) -> None:
        kept = asdict(hop)
        self._row.hops.append(kept | {word: redact_keys(kept[word]) for word in ("detail", "hint")})
        self._note("")

    def move(self, hop: str, done: int, total: int) -> None:
        """Note how many bytes of how many have moved, a few times a second at most; raises HopFailedError."""
        now = time.monotonic()
        if now - self._began_at > LONGEST_SECONDS:
            hint = "The way is slow. Walk by the command, which has all the time it needs: manage.py doctor"
            told = f"{done // MIB} of {total // MIB} MiB after {LONGEST_SECONDS:.0f} s"
            raise HopFailedError(failed("TOO_SLOW", told, hint))
        if now - self._noted_at >= PAUSE_BETWEEN_NOTES:
            self._note(f"{done // MIB} of {total // MIB} MiB")

    def _note(self, moved: str) -> None:
        self._noted_at = time.monotonic()
        self._row.moved = moved
        self._row.save(update_fields=["hops", "moved"])
