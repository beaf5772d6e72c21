"""The filters of the list of keys, by the same expressions that name a key's status."""

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from apikeys import statuses
from apikeys.models import ApiKey

Keys = QuerySet[ApiKey]


class StatusFilter(admin.SimpleListFilter):
    title = "status"
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(word, word.capitalize()) for word in reversed(statuses.DESCRIPTIONS)]

    def queryset(self, request: HttpRequest, queryset: Keys) -> Keys:
        word = self.value()
        return queryset.filter(Q(("status", word))) if word else queryset  # annotated, which no type checker knows


class _ConditionFilter(admin.SimpleListFilter):
    """Keys that meet a named condition, whatever their status."""

    conditions: dict[str, tuple[str, Q]]

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(word, sentence) for word, (sentence, _) in self.conditions.items()]

    def queryset(self, request: HttpRequest, queryset: Keys) -> Keys:
        return queryset.filter(self.conditions[word][1]) if (word := self.value()) else queryset


class UseFilter(_ConditionFilter):
    title = "use"
    parameter_name = "use"
    conditions = {
        "never": ("Never used", statuses.never_used()),
        "idle": (f"Idle for {statuses.IDLE.days} days", statuses.idle()),
    }


class ExpiryFilter(_ConditionFilter):
    title = "expiry"
    parameter_name = "expiry"
    conditions = {"soon": (f"Within {statuses.EXPIRING.days} days", statuses.expiring())}
