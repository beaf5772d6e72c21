"""Decides when somebody is told that the state of health has changed, and remembers what was told; sends nothing.

Bad news is told when two checks in a row have it, and once: a restart is no news. Good news is told when it has lasted,
so that what comes and goes makes no noise. While something fails, a reminder goes out once a day. Each channel has its
own memory: what one could not deliver is tried again with the next check, and does not trouble the other.
"""

import datetime
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import structlog

from apikeys.posts import UndeliveredError
from mlflow_proxy.health import channels, history, lights
from mlflow_proxy.health.answers import Probe
from mlflow_proxy.health.channels import Channel, Kind, News
from mlflow_proxy.models import AlertChannel, StorageCheck

log = structlog.get_logger(__name__)

LASTING = datetime.timedelta(minutes=10)
REMINDER = datetime.timedelta(hours=24)
LONG_AGO = datetime.datetime.min.replace(tzinfo=datetime.UTC)


@dataclass(frozen=True, slots=True)
class Memory:
    """What a channel was last told: the names of what failed, and when."""

    failing: frozenset[str]
    at: datetime.datetime | None


def tell(check: StorageCheck, probes: Sequence[Probe]) -> None:
    """Tell each channel the news that it has not heard yet."""
    now = check.ended_at or check.started_at
    changes = history.states_of(probe.name for probe in probes)
    seen_before = {probe.name for probe in history.before(check) if probe.status == "failed"}
    passing_since = {name: change.at for name, change in changes.items() if change.status == "passed"}
    for channel in channels.configured():
        row = AlertChannel.objects.filter(name=channel.name).first()
        memory = Memory(frozenset(row.told), row.told_at) if row else Memory(frozenset(), None)
        failing = failing_for(memory, probes, seen_before)
        kind = judge(memory, failing, passing_since, now)
        if kind is not None:
            recovered = sorted(memory.failing - failing)
            news = News(
                kind, now, lights.light_of(probes), lights.sentence_of(probes), lights.failures_of(probes), recovered
            )
            _send(channel, news, failing)


def failing_for(memory: Memory, probes: Sequence[Probe], seen_before: Collection[str]) -> frozenset[str]:
    """Return what fails for sure; what failed before and could not be asked now has not recovered."""
    by_name = {probe.name: probe.status for probe in probes}
    failed = {name for name, status in by_name.items() if status == "failed"}
    still_open = {name for name in memory.failing if by_name.get(name) == "unknown"}
    return frozenset(failed & (set(seen_before) | memory.failing) | still_open)


def judge(
    memory: Memory,
    failing: Collection[str],
    passing_since: Mapping[str, datetime.datetime],
    now: datetime.datetime,
) -> Kind | None:
    """Return what kind of news this is for a channel, None for none."""
    if set(failing) - memory.failing:
        return "worse"
    recovered = memory.failing - set(failing)
    # A probe that is asked no more has recovered as well.
    if recovered and all(passing_since.get(name, LONG_AGO) <= now - LASTING for name in recovered):
        return "better" if failing else "well"
    is_long_ago = memory.at is not None and memory.at <= now - REMINDER
    return "reminder" if failing and is_long_ago else None


def _send(channel: Channel, news: News, failing: Collection[str]) -> None:
    told = {"told": sorted(failing), "told_at": news.at}
    try:
        with channel.together():
            channel.send(news)
            AlertChannel.objects.update_or_create(name=channel.name, defaults=told)
    except UndeliveredError as error:
        log.error("health_alert_undelivered", channel=channel.name, kind=news.kind, error=str(error))  # noqa: TRY400
        return
    log.info("health_alert_sent", channel=channel.name, kind=news.kind, light=news.light)
