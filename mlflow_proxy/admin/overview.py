"""What the admin's first page shows of the portal's state; reads the database alone, as far as an account may see."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.models import User
from django.db.models import Count
from django.http import HttpRequest
from django.urls import reverse

from apikeys import staff, statuses
from apikeys.admin import cells
from apikeys.admin.usage import chart_of
from apikeys.models import AuditEvent
from mlflow_proxy.health import lights
from mlflow_proxy.health.answers import Probe
from mlflow_proxy.health.guide import GUIDES
from mlflow_proxy.health.report import Report, report

SEES_HEALTH = "mlflow_proxy.view_storagecheck"
# Whose light a chapter of probes is; the bucket's set-up belongs to the store.
SUBJECTS = {
    "Database": {"database", "clock_database"},
    "MLflow": {"mlflow", "mlflow_layout", "mlflow_artifacts", "mlflow_store"},
}
EVENTS_SHOWN = 6
REASONS_SHOWN = 6
# MLflow's own answer, such as a 404 for a run that is not there: nobody refused the caller.
NO_REFUSAL = "UPSTREAM_ANSWERED"


@dataclass(frozen=True, slots=True)
class Light:
    """A traffic light with the sentence behind it."""

    name: str
    light: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Tally:
    """A number, what it counts, and the list of just these."""

    words: str
    count: int
    url: str


def facts(request: HttpRequest) -> dict[str, Any]:
    """Return the parts of the overview that the account may see; a part that it may not is empty."""
    user: Any = request.user
    usage = staff.usage(user)
    return {
        "lights": _lights(report()) if user.has_perm(SEES_HEALTH) else [],
        "tallies": _tallies(user),
        "charts": [("Last 24 hours", chart_of(usage, "day")), ("Last 7 days", chart_of(usage, "week"))],
        "reasons": list(usage.last_day().exclude(reason=NO_REFUSAL).top_refusals(REASONS_SHOWN)),
        "events": [_line(event) for event in staff.events(user)[:EVENTS_SHOWN]],
    }


def _lights(found: Report) -> list[Light]:
    """Return a light for database, MLflow and artifact storage; grey where nobody has looked lately."""
    storage = Light("Artifact storage", found.light, found.sentence)
    if found.light == "grey":
        return [*(Light(name, "grey", "Not known.") for name in SUBJECTS), storage]
    probes = [row.probe for _, rows in found.chapters for row in rows]
    seen = {name: [probe for probe in probes if probe.name in names] for name, names in SUBJECTS.items()}
    return [*(_light(name, of_it) for name, of_it in seen.items()), storage]


def _light(name: str, probes: list[Probe]) -> Light:
    failures = lights.failures_of(probes)
    sentence = GUIDES[failures[0].name].failure if failures else "Answers."
    return Light(name, lights.light_of(probes), sentence)


def _tallies(user: User) -> list[Tally]:
    # The annotation is not among the fields that a type checker knows.
    keys: Any = staff.keys(user).with_status()
    # A queryset's own order would split the groups.
    counted = dict(keys.order_by().values_list("status").annotate(Count("pk")))
    unused = keys.filter(statuses.never_used(), status="active").count()
    shown = ("active", "expiring", "in grace", "idle", "disabled")
    tallies = [Tally(f"keys {word}", counted.get(word, 0), _keys(status=word)) for word in shown]
    return [*tallies, Tally("never used", unused, _keys(status="active", use="never"))]


def _keys(**parameters: str) -> str:
    return f"{reverse('admin:apikeys_apikey_changelist')}?{urlencode(parameters)}"


def _line(event: AuditEvent) -> dict[str, Any]:
    return {"event": event, "what": cells.action(event.action).capitalize(), "moment": cells.when(event.at)}
