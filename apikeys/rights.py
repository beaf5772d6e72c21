"""What the caller of the REST API may see and do: staff by apikeys.staff, a key by its scopes; writes nothing.

A key acts within its own service. One of the service ``platform`` acts for every service, as an operator does. Neither
can hand on more than it has itself: no scope, network or rate beyond its own.
"""

from collections.abc import Iterable
from typing import Any, Protocol, cast

from django.db.models import QuerySet
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request

from apikeys import addresses, scopes, staff
from apikeys.models import DEFAULT_SERVICE, ApiKey, ApiKeyQuerySet, AuditEvent, Service, Usage
from apikeys.rollups import UsageQuerySet


class GrantExceededError(PermissionDenied):
    """403: the caller would hand on more than it may; ``facts`` name what."""

    reason = "GRANT_EXCEEDED"

    def __init__(self, detail: str, **facts: Any) -> None:
        super().__init__(detail)
        self.facts = facts


class Rights(Protocol):
    """Which rows a caller may ``view``, ``add`` or ``change``; what it may not see does not exist for it."""

    @property
    def name(self) -> str:
        """Return who acts, as the audit trail names it."""

    @property
    def groups(self) -> list[str]:
        """Return the groups of an account; a key has none."""

    def services(self, verb: str = "view") -> QuerySet[Service]: ...

    def keys(self, verb: str = "view") -> ApiKeyQuerySet: ...

    def events(self) -> QuerySet[AuditEvent]: ...

    def usage(self) -> UsageQuerySet: ...

    def may_register_services(self) -> bool: ...

    def may_issue(self, service: Service) -> bool: ...

    def refuse_scopes(self, service: Service, words: Iterable[str]) -> None:
        """Raise GrantExceededError where a key of this service would hold scopes that the caller may not give."""

    def refuse_limits(self, networks: Iterable[str], rate_limit_per_hour: int | None) -> None:
        """Raise GrantExceededError where a key would be less bound than the caller is."""


class StaffRights:
    """The rights of an account, by the groups and issuers that count in the admin as well."""

    def __init__(self, user: staff.Account) -> None:
        self.user = user

    @property
    def name(self) -> str:
        return self.user.get_username()

    @property
    def groups(self) -> list[str]:
        return sorted(self.user.groups.values_list("name", flat=True))

    def services(self, verb: str = "view") -> QuerySet[Service]:
        return staff.services(self.user, verb)

    def keys(self, verb: str = "view") -> ApiKeyQuerySet:
        return staff.keys(self.user, verb)

    def events(self) -> QuerySet[AuditEvent]:
        return staff.events(self.user)

    def usage(self) -> UsageQuerySet:
        return staff.usage(self.user)

    def may_register_services(self) -> bool:
        return staff.may(self.user, "add", Service)

    def may_issue(self, service: Service) -> bool:
        return staff.may_issue(self.user, service)

    def refuse_scopes(self, service: Service, words: Iterable[str]) -> None:
        _refuse(words, staff.grantable_scopes(self.user, service))

    def refuse_limits(self, networks: Iterable[str], rate_limit_per_hour: int | None) -> None:
        """Refuse none: people are bound by no network and no rate."""


class KeyRights:
    """The rights of a key: its scopes, within its service or, for the service ``platform``, everywhere."""

    def __init__(self, key: ApiKey) -> None:
        self.key = key
        self.is_operator = key.service.service_id == DEFAULT_SERVICE

    @property
    def name(self) -> str:
        return self.key.public_id

    @property
    def groups(self) -> list[str]:
        return []

    def services(self, verb: str = "view") -> QuerySet[Service]:
        if verb == "view":
            return self._within_reach() if self._holds("key:read") else Service.objects.none()
        return Service.objects.all() if self.may_register_services() else Service.objects.none()

    def keys(self, verb: str = "view") -> ApiKeyQuerySet:
        if not self._holds("key:read" if verb == "view" else "key:write"):
            return ApiKey.objects.none()
        return ApiKey.objects.all() if self.is_operator else ApiKey.objects.filter(service=self.key.service)

    def events(self) -> QuerySet[AuditEvent]:
        if not self._holds("audit:read"):
            return AuditEvent.objects.none()
        events = AuditEvent.objects.all()
        return events if self.is_operator else events.filter(service_id=self.key.service.service_id)

    def usage(self) -> UsageQuerySet:
        if not self._holds("key:read"):
            return Usage.objects.none()
        return Usage.objects.all() if self.is_operator else Usage.objects.of_service(self.key.service.service_id)

    def may_register_services(self) -> bool:
        return self.is_operator and self._holds("key:write")

    def may_issue(self, service: Service) -> bool:
        return self._holds("key:write") and self._within_reach().filter(pk=service.pk).exists()

    def refuse_scopes(self, service: Service, words: Iterable[str]) -> None:
        _refuse(words, {word for held in self.key.scopes for word in scopes.implied_by(held)})

    def refuse_limits(self, networks: Iterable[str], rate_limit_per_hour: int | None) -> None:
        bounds = self.key.allowed_ips
        if bounds and not addresses.are_within(networks, bounds):
            raise GrantExceededError(f"Your key works from {', '.join(bounds)} alone. Name networks within.")
        most = self.key.rate_limit_per_hour
        if most is not None and (rate_limit_per_hour is None or rate_limit_per_hour > most):
            raise GrantExceededError(f"Your key makes {most} calls an hour. Give no key more.", limit=most)

    def _holds(self, word: str) -> bool:
        return scopes.grants(self.key.scopes, word)

    def _within_reach(self) -> QuerySet[Service]:
        return Service.objects.all() if self.is_operator else Service.objects.filter(pk=self.key.service_id)


def rights_of(request: Request) -> Rights:
    """Return the rights of whoever was authenticated: a key, or an account of staff."""
    key = cast("ApiKey | None", request.auth)
    return KeyRights(key) if key else StaffRights(request.user)


def _refuse(words: Iterable[str], grantable: Iterable[str]) -> None:
    if excess := sorted(set(words) - set(grantable)):
        raise GrantExceededError(f"You may not give {', '.join(excess)}.", excess=excess)
