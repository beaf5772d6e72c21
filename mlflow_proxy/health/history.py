"""Keeps what the probes said: a day in full, a month as changes of state and the worst of each hour; asks nothing."""

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import asdict

from django.db import transaction
from django.db.models import Max

from apikeys.models import database_now
from mlflow_proxy.health import lights
from mlflow_proxy.health.answers import Probe
from mlflow_proxy.models import HealthHour, StateChange, StorageCheck

DAY, MONTH = datetime.timedelta(hours=24), datetime.timedelta(days=30)
# Longer than any round takes: one that has not ended by then died with its process.
ABANDONED_AFTER = datetime.timedelta(minutes=3)


def begin(asked_by: str, expected: int) -> StorageCheck:
    check = StorageCheck(asked_by=asked_by[:200], expected=expected, started_at=database_now())
    check.save()
    return check


def note(check: StorageCheck, probes: Iterable[Probe]) -> None:
    """Keep what is known so far, for whoever watches."""
    StorageCheck.objects.filter(pk=check.pk).update(answers=[asdict(probe) for probe in probes])


@transaction.atomic
def end(check: StorageCheck, probes: Sequence[Probe]) -> None:
    """Keep a round's answers and what changed by them, and forget what is too old."""
    check.ended_at = database_now()
    check.light = lights.light_of(probes)
    check.answers = [asdict(probe) for probe in probes]
    check.save(update_fields=["ended_at", "light", "answers"])
    states = states_of([probe.name for probe in probes])
    changed = [probe for probe in probes if _state(states.get(probe.name)) != (probe.status, probe.reason)]
    StateChange.objects.bulk_create(
        StateChange(name=probe.name, at=check.ended_at, status=probe.status, reason=probe.reason) for probe in changed
    )
    hour = check.ended_at.replace(minute=0, second=0, microsecond=0)
    row, _ = HealthHour.objects.get_or_create(hour=hour, defaults={"light": check.light})
    HealthHour.objects.filter(pk=row.pk).update(light=lights.worse(row.light, check.light))
    forget(check.ended_at)


def forget(now: datetime.datetime) -> None:
    StorageCheck.objects.filter(started_at__lt=now - DAY).delete()
    HealthHour.objects.filter(hour__lt=now - MONTH).delete()
    # A probe's newest change stays, however old: it tells since when.
    newest = StateChange.objects.values("name").annotate(newest=Max("pk")).values("newest")
    StateChange.objects.filter(at__lt=now - MONTH).exclude(pk__in=newest).delete()


def states_of(names: Iterable[str]) -> dict[str, StateChange]:
    """Return the newest change of each probe."""
    newest = StateChange.objects.filter(name__in=list(names)).values("name").annotate(newest=Max("pk"))
    return {change.name: change for change in StateChange.objects.filter(pk__in=newest.values("newest"))}


def probes_of(check: StorageCheck) -> list[Probe]:
    return [Probe(**answer) for answer in check.answers]


def latest() -> StorageCheck | None:
    """Return the last round that ended."""
    return StorageCheck.objects.filter(ended_at__isnull=False).first()


def before(check: StorageCheck) -> list[Probe]:
    """Return the answers of the round before this one."""
    earlier = StorageCheck.objects.filter(ended_at__isnull=False, started_at__lt=check.started_at).first()
    return probes_of(earlier) if earlier else []


def running(now: datetime.datetime) -> StorageCheck | None:
    """Return the round that is under way."""
    begun = StorageCheck.objects.filter(ended_at__isnull=True, started_at__gt=now - ABANDONED_AFTER).first()
    ended = latest()
    # One that another has overtaken was abandoned.
    return None if begun and ended and ended.started_at > begun.started_at else begun


Lit = list[tuple[datetime.datetime, str]]


def checks_since(moment: datetime.datetime) -> Lit:
    """Return (when, light) of the rounds that ended since then, the oldest first."""
    ended = StorageCheck.objects.filter(ended_at__gte=moment).order_by("ended_at")
    return [(at, light) for at, light in ended.values_list("ended_at", "light") if at]


def hours_since(moment: datetime.datetime) -> Lit:
    """Return (hour, worst light) since then, the oldest first."""
    return list(HealthHour.objects.filter(hour__gte=moment).order_by("hour").values_list("hour", "light"))


def _state(change: StateChange | None) -> tuple[str, str]:
    return (change.status, change.reason) if change else ("", "")
