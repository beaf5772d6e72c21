"""Writes services: registers, changes, pauses and pins them, each with its event; decides no right of the caller."""

from collections.abc import Iterable
from typing import Any, TypedDict, Unpack

from django.contrib.auth.models import User
from django.db import transaction

from apikeys import rules, trail
from apikeys import scopes as words_of_scope
from apikeys.models import Service, database_now
from apikeys.rules import ActionRefusedError
from apikeys.trail import Actor


class ServiceChanges(TypedDict, total=False):
    """What change_service takes; what is left out stays as it is."""

    description: str
    owner: str
    contact: str
    default_scopes: list[str]
    default_days: int | None
    default_rate_limit_per_hour: int | None


@transaction.atomic
def create_service(*, service_id: str, description: str = "", owner: str = "", actor: Actor) -> Service:
    """Register a calling program; raises django.core.exceptions.ValidationError for a bad or taken id."""
    for text in (description, owner):
        rules.refuse_secret(text)
    service = Service(service_id=service_id, description=description, owner=owner)
    service.full_clean()
    service.save()
    _record_of_service("service_created", service, actor, after={"description": description, "owner": owner})
    return service


@transaction.atomic
def change_service(*, service: Service, actor: Actor, **changes: Unpack[ServiceChanges]) -> Service:
    """Change what is known of a service and what its new keys get; nothing is written when nothing differs.

    Raises ActionRefusedError or UnknownScopeError for a default outside policy, ValidationError for a text too long.
    """
    service = Service.objects.select_for_update().get(pk=service.pk)
    if changes.get("default_scopes"):
        changes["default_scopes"] = words_of_scope.normalise(changes["default_scopes"])
    rules.refuse_days(changes.get("default_days"))
    rules.refuse_rate(changes.get("default_rate_limit_per_hour"))
    for text in (changes.get("description"), changes.get("owner"), changes.get("contact")):
        rules.refuse_secret(text or "")
    after = {word: fact for word, fact in changes.items() if fact != getattr(service, word)}
    if not after:
        return service
    before = {word: getattr(service, word) for word in after}
    for word, fact in after.items():
        setattr(service, word, fact)
    service.full_clean()
    service.save(update_fields=list(after))
    _record_of_service("service_changed", service, actor, before=before, after=after)
    return service


@transaction.atomic
def set_issuers(*, service: Service, users: Iterable[User], actor: Actor) -> Service:
    """Say which staff may act for a service without acting for every one; see apikeys.staff."""
    service = Service.objects.select_for_update().get(pk=service.pk)
    before = sorted(user.username for user in service.issuers.all())
    users = list(users)
    after = sorted(user.username for user in users)
    if after != before:
        service.issuers.set(users)
        _record_of_service("service_issuers_set", service, actor, before={"issuers": before}, after={"issuers": after})
    return service


@transaction.atomic
def set_presigned_urls(*, service: Service, is_on: bool, actor: Actor) -> Service:
    """Let a service's keys be given signed addresses of the artifact store, or end that."""
    service = Service.objects.select_for_update().get(pk=service.pk)
    before = {"presigned_urls": service.presigned_urls}
    service.presigned_urls = is_on
    service.save(update_fields=["presigned_urls"])
    after = {"presigned_urls": is_on}
    _record_of_service("service_presigning_set", service, actor, before=before, after=after)
    return service


@transaction.atomic
def disable_service(*, service: Service, reason: str, actor: Actor) -> Service:
    """Pause a service: every key of it is refused from the next request on."""
    service = Service.objects.select_for_update().get(pk=service.pk)
    if service.is_disabled:
        raise ActionRefusedError(f"service {service} is already disabled: {service.disabled_reason}")
    service.disabled_at, service.disabled_reason = database_now(), rules.reason(reason)
    service.save(update_fields=["disabled_at", "disabled_reason"])
    _record_of_service("service_disabled", service, actor, reason=reason)
    return service


@transaction.atomic
def enable_service(*, service: Service, reason: str = "", actor: Actor) -> Service:
    """End a pause; the keys that are neither revoked nor expired work again."""
    service = Service.objects.select_for_update().get(pk=service.pk)
    if not service.is_disabled:
        raise ActionRefusedError(f"service {service} is not disabled")
    before = {"disabled_at": service.disabled_at, "disabled_reason": service.disabled_reason}
    rules.refuse_secret(reason)
    service.disabled_at, service.disabled_reason = None, ""
    service.save(update_fields=["disabled_at", "disabled_reason"])
    _record_of_service("service_enabled", service, actor, before=before, reason=reason)
    return service


@transaction.atomic
def pin_service(*, service: Service, workspaces: Iterable[str], actor: Actor) -> Service:
    """Let a service act in these MLflow workspaces only, the first being its default; none is MLflow's default one."""
    names = list(workspaces)
    rules.refuse_bad_workspaces(names)
    service = Service.objects.select_for_update().get(pk=service.pk)
    before = {"workspaces": service.workspaces}
    service.workspaces = names
    service.save(update_fields=["workspaces"])
    _record_of_service("service_pinned", service, actor, before=before, after={"workspaces": names})
    return service


def _record_of_service(action: str, service: Service, actor: Actor, **facts: Any) -> None:
    trail.record(action, actor, object_id=service.service_id, service_id=service.service_id, **facts)
