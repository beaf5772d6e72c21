"""Everything that a page of storage health shows, read from the database alone; asks no dependency, writes nothing."""

import datetime
from dataclasses import dataclass

from apikeys.models import database_now
from mlflow_proxy import conf
from mlflow_proxy.health import history, lights, strips
from mlflow_proxy.health.answers import Probe
from mlflow_proxy.health.guide import CHAPTERS, GUIDES, Guide
from mlflow_proxy.health.strips import Strip
from mlflow_proxy.models import StorageCheck

TEN_MINUTES, HOUR = datetime.timedelta(minutes=10), datetime.timedelta(hours=1)
# What nobody has looked at for so many intervals is not known any more.
STALE_INTERVALS = 3


@dataclass(frozen=True, slots=True)
class Row:
    """A probe with its guide, and since when its answer stands."""

    probe: Probe
    guide: Guide
    since: datetime.datetime | None
    lasting: str


@dataclass(frozen=True, slots=True)
class Progress:
    """A round that is under way."""

    answered: int
    expected: int
    asked_by: str


@dataclass(frozen=True, slots=True)
class Report:
    """The light with its sentence, what to do, every probe by chapter, and two strips of history."""

    now: datetime.datetime
    light: str
    sentence: str
    check: StorageCheck | None
    age: str
    seconds: float
    progress: Progress | None
    to_do: list[Row]
    chapters: list[tuple[str, list[Row]]]
    day: Strip
    month: Strip


def report() -> Report:
    """Return the state of storage health; ``light`` is ``grey`` where it is not known."""
    now, check = database_now(), history.latest()
    rows = {row.probe.name: row for row in _rows(check, now)}
    probes = [row.probe for row in rows.values()]
    light, sentence = _headline(check, probes, now)
    chapters = [(title, [rows[name] for name in names if name in rows]) for title, names in CHAPTERS.items()]
    hold = datetime.timedelta(seconds=2 * conf.storage_check_seconds())
    return Report(
        now=now,
        light=light,
        sentence=sentence,
        check=check,
        age=lasting(now - check.ended_at) if check and check.ended_at else "",
        seconds=(check.ended_at - check.started_at).total_seconds() if check and check.ended_at else 0.0,
        progress=progress(now),
        to_do=[rows[probe.name] for probe in lights.failures_of(probes)],
        chapters=[(title, found) for title, found in chapters if found],
        day=strips.draw(history.checks_since(now - history.DAY), now, TEN_MINUTES, 144, hold),
        month=strips.draw(history.hours_since(now - history.MONTH), now, HOUR, 720, hold),
    )


def progress(now: datetime.datetime) -> Progress | None:
    running = history.running(now)
    return Progress(len(running.answers), running.expected, running.asked_by) if running else None


def lasting(span: datetime.timedelta) -> str:
    """Return a span as people say it: seconds, minutes, hours or days."""
    seconds = int(span.total_seconds())
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            count = seconds // size
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return "a moment"


def lasting_seconds(seconds: float) -> str:
    return lasting(datetime.timedelta(seconds=seconds))


def _headline(check: StorageCheck | None, probes: list[Probe], now: datetime.datetime) -> tuple[str, str]:
    if check is None or check.ended_at is None:
        return "grey", "Nothing has been checked yet. Is the worker running?"
    patience = datetime.timedelta(seconds=STALE_INTERVALS * conf.storage_check_seconds())
    if now - check.ended_at > patience:
        return "grey", f"The last check is {lasting(now - check.ended_at)} old. Is the worker running?"
    return check.light, lights.sentence_of(probes)


def _rows(check: StorageCheck | None, now: datetime.datetime) -> list[Row]:
    # An answer of an older version may have a name that this one does not know.
    probes = [probe for probe in history.probes_of(check) if probe.name in GUIDES] if check else []
    changes = history.states_of(probe.name for probe in probes)
    rows = []
    for probe in probes:
        change = changes.get(probe.name)
        since = change.at if change and change.status == probe.status else None
        rows.append(Row(probe, GUIDES[probe.name], since, lasting(now - since) if since else ""))
    return rows
