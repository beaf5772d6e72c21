"""What an import would change, and changing it; every write is one of apikeys.actions, all of them or none."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from apikeys import actions
from apikeys.actions import ActionRefusedError, Actor
from apikeys.management import manifests
from apikeys.management.manifests import Manifest
from apikeys.models import Service
from apikeys.scopes import UnknownScopeError

BY_CHANGE_SERVICE = (
    *("description", "owner", "contact"),
    *("default_scopes", "default_days", "default_rate_limit_per_hour"),
)


@dataclass(frozen=True, slots=True)
class ServicePlan:
    """One service that differs from the file: each field with what it is and what it becomes."""

    service_id: str
    is_new: bool
    fields: dict[str, tuple[Any, Any]]

    @property
    def wanted(self) -> dict[str, Any]:
        return {name: after for name, (_, after) in self.fields.items()}


@dataclass(frozen=True, slots=True)
class Plan:
    """What differs, how many services do not, and which the file leaves out: those stay as they are."""

    services: tuple[ServicePlan, ...]
    unchanged: int
    left_out: tuple[str, ...]

    @property
    def workspaces(self) -> tuple[str, ...]:
        """The workspaces that services are newly pinned to."""
        return tuple(dict.fromkeys(name for one in self.services for name in one.wanted.get("workspaces", ())))


def make_plan(wanted: Manifest) -> Plan:
    """Compare a file with the database."""
    present = manifests.of(Service.objects.all())
    planned = tuple(_differences(wanted, present))
    left_out = tuple(name for name in present if name not in wanted)
    return Plan(planned, len(wanted) - len(planned), left_out)


def _differences(wanted: Manifest, present: Manifest) -> Iterator[ServicePlan]:
    blank = manifests.of([Service()])[""]
    for name, facts in wanted.items():
        before = present.get(name, blank)
        # Scopes are kept sorted: their order in the file says nothing. That of workspaces does, the first is default.
        asked = {word: sorted(set(fact)) if word == "default_scopes" else fact for word, fact in facts.items()}
        fields = {word: (before[word], fact) for word, fact in asked.items() if fact != before[word]}
        if fields or name not in present:
            yield ServicePlan(name, name not in present, fields)


def try_out(plan: Plan, *, actor: Actor) -> None:
    """Raise what ``carry_out`` would raise; the rules are asked by doing it, and nothing of it stays."""
    with transaction.atomic():
        carry_out(plan, actor=actor)
        transaction.set_rollback(True)


@transaction.atomic
def carry_out(plan: Plan, *, actor: Actor) -> None:
    """Make the database what the plan says. Raises ActionRefusedError, which names the service, with nothing written.

    Says nothing to MLflow: a workspace that a service is pinned to must be there.
    """
    for one in plan.services:
        try:
            _change(one, actor)
        except (ActionRefusedError, UnknownScopeError) as error:
            raise ActionRefusedError(f"service {one.service_id}: {error}") from None
        except ValidationError as error:
            raise ActionRefusedError(f"service {one.service_id}: {' '.join(error.messages)}") from None


def _change(one: ServicePlan, actor: Actor) -> None:
    if one.is_new:
        first = {name: one.wanted[name] for name in ("description", "owner") if name in one.wanted}
        service = actions.create_service(service_id=one.service_id, actor=actor, **first)
    else:
        service = Service.objects.get(service_id=one.service_id)
    changes: Any = {name: fact for name, fact in one.wanted.items() if name in BY_CHANGE_SERVICE}
    if changes:
        service = actions.change_service(service=service, actor=actor, **changes)
    if "workspaces" in one.fields:
        service = actions.pin_service(service=service, workspaces=one.wanted["workspaces"], actor=actor)
    if "presigned_urls" in one.fields:
        actions.set_presigned_urls(service=service, is_on=one.wanted["presigned_urls"], actor=actor)
