"""What a member of staff may see and do: the one place of that rule, for screens and REST alike; writes nothing.

Two questions are put together. May the account do such a thing at all? Django's permissions say so, which groups
carry. And to this service? Yes where it may act for every service, or where the service lists it among its issuers.
Nobody deletes anything, and nobody changes the trail: no permission opens that, not even a superuser's.
"""

from collections.abc import Callable
from typing import Any

from django.contrib.auth.models import AnonymousUser, User
from django.db.models import Model, QuerySet

from apikeys import scopes
from apikeys.models import (
    DEFAULT_SERVICE,
    ApiKey,
    ApiKeyQuerySet,
    AuditEvent,
    Delivery,
    Service,
    Usage,
    Webhook,
)
from apikeys.rollups import UsageQuerySet

SEE_EVERY_SERVICE = "apikeys.see_every_service"
ACT_FOR_EVERY_SERVICE = "apikeys.act_for_every_service"
# Of MLflow's own pages: which scopes they stand for is the proxy's to say.
VIEW_MLFLOW_UI = "apikeys.view_mlflow_ui"
EDIT_MLFLOW_UI = "apikeys.edit_mlflow_ui"
VERBS: dict[type[Model], frozenset[str]] = {
    Service: frozenset({"view", "add", "change"}),
    ApiKey: frozenset({"view", "add", "change"}),
    AuditEvent: frozenset({"view"}),
    Webhook: frozenset({"view", "add", "change"}),
    Delivery: frozenset({"view"}),
}
# What a group can hold that means anything here.
_BESIDE = (SEE_EVERY_SERVICE, ACT_FOR_EVERY_SERVICE, VIEW_MLFLOW_UI, EDIT_MLFLOW_UI)
CODENAMES = frozenset(
    {f"{verb}_{model.__name__.lower()}" for model, verbs in VERBS.items() for verb in verbs}
    | {permission.partition(".")[2] for permission in _BESIDE}
)

Account = User | AnonymousUser


def may(user: Account, verb: str, subject: Model | type[Model]) -> bool:
    """Return whether an account may ``view``, ``add`` or ``change`` a row, or some row of a model.

    To ``add`` a key is to issue one; whether for a certain service, ``may_issue`` says.
    """
    if isinstance(subject, type):
        return _is_granted(user, verb, subject)
    rows = ROWS[type(subject)]
    return rows(user, verb).filter(pk=subject.pk).exists()


def services(user: Account, verb: str = "view") -> QuerySet[Service]:
    """Return the services that an account may view or change."""
    return _within_reach(user, verb) if _is_granted(user, verb, Service) else Service.objects.none()


def keys(user: Account, verb: str = "view") -> ApiKeyQuerySet:
    """Return the keys that an account may view or change."""
    if not _is_granted(user, verb, ApiKey):
        return ApiKey.objects.none()
    if _reaches_all(user, verb):
        return ApiKey.objects.all()
    return ApiKey.objects.filter(service__in=_within_reach(user, verb))


def events(user: Account, verb: str = "view") -> QuerySet[AuditEvent]:
    """Return the events that an account may view: those of its services, or all with those of no service."""
    if not _is_granted(user, verb, AuditEvent):
        return AuditEvent.objects.none()
    if _reaches_all(user, verb):
        return AuditEvent.objects.all()
    return AuditEvent.objects.filter(service_id__in=_within_reach(user, verb).values("service_id"))


def webhooks(user: Account, verb: str = "view") -> QuerySet[Webhook]:
    """Return the webhooks that an account may view or change: all or none, because they tell of every service."""
    is_allowed = _is_granted(user, verb, Webhook) and _reaches_all(user, verb)
    return Webhook.objects.all() if is_allowed else Webhook.objects.none()


def deliveries(user: Account, verb: str = "view") -> QuerySet[Delivery]:
    """Return the deliveries that an account may view: all or none, like webhooks."""
    is_allowed = _is_granted(user, verb, Delivery) and _reaches_all(user, verb)
    return Delivery.objects.all() if is_allowed else Delivery.objects.none()


def usage(user: Account) -> UsageQuerySet:
    """Return the usage that an account may see: that of its services, or all with that of callers without a key."""
    if not _is_granted(user, "view", Service):
        return Usage.objects.none()
    if _reaches_all(user, "view"):
        return Usage.objects.all()
    return Usage.objects.filter(service_id__in=_within_reach(user, "view").values("service_id"))


def services_to_issue_for(user: Account) -> QuerySet[Service]:
    """Return the services that an account may issue keys for, paused ones included."""
    return _within_reach(user, "add") if _is_granted(user, "add", ApiKey) else Service.objects.none()


def may_issue(user: Account, service: Service) -> bool:
    return services_to_issue_for(user).filter(pk=service.pk).exists()


def may_rotate(user: Account, key: ApiKey) -> bool:
    """Return whether an account may be shown a key's successor: only if it could give out all that the key holds."""
    return may_issue(user, key.service) and grantable_scopes(user, key.service).issuperset(key.scopes)


def grantable_scopes(user: Account, service: Service | None = None) -> frozenset[str]:
    """Return the scopes that an account may give to a key, of a certain service where one is named.

    Some reach past the key's own service, and on keys of ``platform`` more of them do: whoever acts for single services
    cannot give those away.
    """
    if _reaches_all(user, "add"):
        return scopes.ALL
    is_default = service is not None and service.service_id == DEFAULT_SERVICE
    return scopes.ALL - scopes.BEYOND_ONE_SERVICE - (scopes.OF_OPERATORS if is_default else frozenset())


def _is_granted(user: Account, verb: str, model: type[Model]) -> bool:
    is_possible = verb in VERBS.get(model, ())
    return is_possible and user.is_staff and user.has_perm(f"apikeys.{verb}_{model.__name__.lower()}")


def _reaches_all(user: Account, verb: str) -> bool:
    return user.has_perm(ACT_FOR_EVERY_SERVICE) or (verb == "view" and user.has_perm(SEE_EVERY_SERVICE))


def _within_reach(user: Account, verb: str) -> QuerySet[Service]:
    # Asked of Service and not of the account: a stranger has no such relation.
    return Service.objects.all() if _reaches_all(user, verb) else Service.objects.filter(issuers=user.pk)


ROWS: dict[type[Model], Callable[[Account, str], QuerySet[Any]]] = {
    Service: services,
    ApiKey: keys,
    AuditEvent: events,
    Webhook: webhooks,
    Delivery: deliveries,
}
