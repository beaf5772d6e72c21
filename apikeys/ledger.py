"""Writes what was counted: adds to the hours, rolls old hours up to days, forgets old days; counts nothing itself.

Each row is one statement that adds to what is there, so that any number of workers can write the same row, and none
overwrites what another has written.
"""

import datetime
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, NamedTuple

from django.db import connection, models, transaction
from django.utils import timezone

from apikeys.rollups import CLIENT, COUNTERS, KIND, ClientVersion, Usage
from apikeys.tallies import Counts

HOURS_KEPT = datetime.timedelta(days=31)
DAYS_KEPT = datetime.timedelta(days=400)
DAY = datetime.timedelta(days=1)
# By which columns a row is known, and which ones are added to.
_COLUMNS: dict[type[models.Model], tuple[tuple[str, ...], tuple[str, ...]]] = {
    Usage: (KIND, COUNTERS),
    ClientVersion: (CLIENT, ("calls",)),
}
_KIND_OF_CALL = KIND[2:]


class RolledUp(NamedTuple):
    """What a roll-up did: ``hours`` rows became part of ``days``, and ``forgotten`` rows were too old to keep."""

    days: int
    hours: int
    forgotten: int


def add(counts: Counts) -> None:
    """Add counts to the hours and days that they belong to: all of them, or none when the database fails."""
    # Sorted, so that two workers take the locks of their common rows in one order.
    hours = [(kind.begins_at, Usage.Span.HOUR, *kind[1:], *numbers) for kind, numbers in sorted(counts.calls.items())]
    clients = [(client.date, *client[1:], calls) for client, calls in sorted(counts.clients.items())]
    with transaction.atomic():
        _add_rows(Usage, hours)
        _add_rows(ClientVersion, clients)


def roll_up(now: datetime.datetime | None = None) -> RolledUp:
    """Turn hours older than HOURS_KEPT into days, and remove days older than DAYS_KEPT; may run anywhere, at any time.

    A day goes over in one transaction. Where two roll up at once, each hour is taken by one of them.
    """
    today = (now or timezone.now()).astimezone(datetime.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    old = Usage.objects.filter(span=Usage.Span.HOUR, begins_at__lt=today - HOURS_KEPT)
    days = list(old.datetimes("begins_at", "day", tzinfo=datetime.UTC))
    hours = sum(_roll_day(day) for day in days)
    limit = today - DAYS_KEPT
    forgotten, _ = Usage.objects.filter(span=Usage.Span.DAY, begins_at__lt=limit).delete()
    unseen, _ = ClientVersion.objects.filter(day__lt=limit.date()).delete()
    return RolledUp(len(days), hours, forgotten + unseen)


def _roll_day(day: datetime.datetime) -> int:
    sums: dict[tuple[Any, ...], list[float]] = defaultdict(lambda: [0] * len(COUNTERS))
    with transaction.atomic():
        taken = _take_hours(day)
        for row in taken:
            kind, numbers = row[: len(_KIND_OF_CALL)], row[len(_KIND_OF_CALL) :]
            sums[kind] = [a + b for a, b in zip(sums[kind], numbers, strict=True)]
        _add_rows(Usage, [(day, Usage.Span.DAY, *kind, *numbers) for kind, numbers in sorted(sums.items())])
    return len(taken)


def _take_hours(day: datetime.datetime) -> list[tuple[Any, ...]]:
    """Remove the hours of a day and return them: what is taken is gone, so nobody else can add it to the day."""
    quoted = connection.ops.quote_name
    columns = ", ".join(map(quoted, (*_KIND_OF_CALL, *COUNTERS)))
    sql = (
        f"DELETE FROM {quoted(Usage._meta.db_table)}"  # noqa: S608  (names of our own columns)
        f" WHERE {quoted('span')} = %s AND {quoted('begins_at')} >= %s AND {quoted('begins_at')} < %s"
        f" RETURNING {columns}"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, [Usage.Span.HOUR.value, *(_prepared(Usage, "begins_at", at) for at in (day, day + DAY))])
        return list(cursor.fetchall())


def _add_rows(model: type[models.Model], rows: Iterable[tuple[Any, ...]]) -> None:
    known_by, added = _COLUMNS[model]
    names = (*known_by, *added)
    prepared = [[_prepared(model, name, value) for name, value in zip(names, row, strict=True)] for row in rows]
    if prepared:
        with connection.cursor() as cursor:
            cursor.executemany(_upsert(model, known_by, added), prepared)


def _upsert(model: type[models.Model], known_by: tuple[str, ...], added: tuple[str, ...]) -> str:
    quoted = connection.ops.quote_name
    table, columns = quoted(model._meta.db_table), ", ".join(map(quoted, (*known_by, *added)))
    places = ", ".join(["%s"] * (len(known_by) + len(added)))
    sums = ", ".join(f"{quoted(name)} = {table}.{quoted(name)} + EXCLUDED.{quoted(name)}" for name in added)
    return (
        f"INSERT INTO {table} ({columns}) VALUES ({places})"  # noqa: S608  (names of our own columns)
        f" ON CONFLICT ({', '.join(map(quoted, known_by))}) DO UPDATE SET {sums}"
    )


def _prepared(model: type[models.Model], name: str, value: Any) -> Any:
    field: Any = model._meta.get_field(name)
    return field.get_db_prep_save(value, connection)
