"""The periodic jobs as a table: a name, how often, and what runs; knows no rule of any of them.

A job is one row here, one function that returns the facts for its log line, and one row in docs/operations.md.
"""

from collections.abc import Callable
from dataclasses import dataclass

from apikeys import arrivals, ledger, notices, outbox
from apikeys.actions import Actor
from mlflow_proxy import conf
from mlflow_proxy.artifacts import sweeps
from mlflow_proxy.health import mlflow, monitor, readiness
from mlflow_proxy.health.answers import ask

WORKER = Actor(name="worker")
MINUTE, HOUR = 60.0, 3600.0


@dataclass(frozen=True, slots=True)
class Report:
    """What a run says in the log, empty where it did nothing; ``again_in`` seconds, where that is sooner than usual."""

    facts: dict[str, object]
    again_in: float | None = None


def at_once() -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Job:
    """Something to do every so many seconds, once for all replicas; what it raises is logged.

    ``may_begin`` is asked after a start: what starts together with the worker may take a moment longer.
    """

    name: str
    every: float
    run: Callable[[], Report]
    may_begin: Callable[[], bool] = at_once


def jobs() -> tuple[Job, ...]:
    """Return the table, with the intervals that the settings give."""
    return (
        Job("storage_check", conf.storage_check_seconds(), check_storage, is_mlflow_up),
        Job("upload_sweep", 6 * HOUR, sweep_uploads),
        Job("expiry_notices", HOUR, send_expiry_notices),
        Job("network_notices", 5 * MINUTE, send_network_notices),
        Job("usage_roll_up", 24 * HOUR, roll_up_usage),
        Job("webhooks", 10.0, send_to_webhooks),
        Job("webhook_pruning", 24 * HOUR, prune_deliveries),
    )


def check_storage() -> Report:
    row = monitor.check(WORKER.name)
    if row is None:
        return Report({"left": "another check runs"})
    # What is broken is watched more closely, so that its end shows soon.
    return Report(monitor.facts_of(row), again_in=MINUTE if row.light == "red" else None)


def is_mlflow_up() -> bool:
    return ask("mlflow", mlflow.ask_api).reason not in readiness.NOT_UP_YET


def sweep_uploads() -> Report:
    if not conf.artifact_destination():
        return Report({"left": "no HOKUSAI_ARTIFACT_DESTINATION"})
    return Report({"removed": len(sweeps.sweep())})


def send_expiry_notices() -> Report:
    return Report(dict(notices.send_due(WORKER)))


def send_network_notices() -> Report:
    return Report(dict(arrivals.send_due(WORKER)))


def roll_up_usage() -> Report:
    return Report(dict(ledger.roll_up()._asdict()))


def send_to_webhooks() -> Report:
    return Report(dict(outbox.run()))


def prune_deliveries() -> Report:
    return Report({"removed": outbox.prune()})
