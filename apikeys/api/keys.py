"""The resource of keys: lists, issues, changes, rotates and ends them; asks rights, and writes by actions alone."""

import datetime
from collections.abc import Callable, Sequence
from typing import Any, cast

from django.db import transaction
from django.db.models import Case, F, Q, QuerySet, TextField, When
from django.db.models.functions import Cast
from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from apikeys import actions
from apikeys.actions import IssuedKey
from apikeys.api import preconditions
from apikeys.api.base import Access, ApiViewSet
from apikeys.api.key_documents import (
    DraftSerializer,
    IssuedKeySerializer,
    KeyQuery,
    KeySerializer,
    LimitsSerializer,
    MessageSerializer,
    OptionalReasonSerializer,
    ReasonSerializer,
    RotationSerializer,
)
from apikeys.api.parameters import ETAG, IDEMPOTENCY_KEY, IF_MATCH
from apikeys.models import ApiKey, ApiKeyQuerySet, Service
from apikeys.rules import ActionRefusedError

READ = Access("key:read", "apikeys.view_apikey")
ISSUE = Access("key:write", "apikeys.add_apikey")
CHANGE = Access("key:write", "apikeys.change_apikey")
FILTERS: dict[str, Callable[[Any], Q]] = {
    "service": lambda word: Q(service__service_id=word),
    "service_id": lambda word: Q(service__service_id=word),
    "status": lambda word: Q(("status", word)),
    "scope": lambda word: Q(scopes_text__contains=f'"{word}"'),
    "owner": lambda word: Q(service__owner=word),
    "search": lambda word: Q(public_id__icontains=word) | Q(name__icontains=word) | Q(note__icontains=word),
    "expires_before": lambda moment: Q(expires_at__lt=moment),
    "used_before": lambda moment: Q(last_used_at__lt=moment) | Q(last_used_at__isnull=True),
    "active_only": lambda is_asked: ~Q(status__in=("revoked", "expired", "disabled")) if is_asked else Q(),
}
OF_THE_PREDECESSOR = {"service_id", "active_only"}


class KeyViewSet(ApiViewSet):
    """API keys. The secret of one is in the reply that issues or rotates it, and nowhere else."""

    serializer_class = KeySerializer
    lookup_field = "public_id"
    lookup_url_kwarg = "key_id"
    looks_up = True
    lookup_value_regex = "[^/]+"
    accesses = {
        **dict.fromkeys(("list", "retrieve"), READ),
        **dict.fromkeys(("create", "rotate"), ISSUE),
        **dict.fromkeys(("partial_update", "destroy", "revoke", "disable", "enable"), CHANGE),
    }
    changing = frozenset(("partial_update", "destroy", "revoke", "disable", "enable"))

    def rows(self, verb: str) -> ApiKeyQuerySet:
        return documented(self.rights.keys(verb))

    @extend_schema(parameters=[KeyQuery])
    def list(self, request: Request) -> Response:
        """List keys, the newest first."""
        asked = self.asked(KeyQuery)
        page = self.paginate_queryset(narrowed(self.get_queryset(), asked))
        documents = self.get_serializer(page, many=True).data
        if OF_THE_PREDECESSOR & request.query_params.keys():
            # Its clients read an array; where the next page is, they learn from Link.
            return Response(documents, headers=self.paginator.links())  # type: ignore[union-attr]
        return self.get_paginated_response(documents)

    @extend_schema(parameters=[ETAG])
    def retrieve(self, request: Request, key_id: str) -> Response:
        """Show a key."""
        return self.shown(self.get_object())

    @extend_schema(parameters=[IDEMPOTENCY_KEY], request=DraftSerializer, responses={201: IssuedKeySerializer})
    def create(self, request: Request) -> Response:
        """Issue a key, and show its secret this once."""
        facts = self.sent(DraftSerializer)
        warnings, service = facts.pop("warnings"), self.service_named(facts.pop("service_id", None))
        facts["scopes"] = facts["scopes"] or service.default_scopes
        if not facts["scopes"]:
            raise ActionRefusedError(f"service {service} has no default scopes: name scopes or a preset")
        rate = facts.get("rate_limit_per_hour")
        rate = service.default_rate_limit_per_hour if rate is None else rate
        self.rights.refuse_scopes(service, facts["scopes"])
        self.rights.refuse_limits(facts.get("allowed_ips", ()), rate)
        once = preconditions.idempotency_key(request)
        return self.shown_once(
            actions.issue_key(service=service, idempotency_key=once, actor=self.actor, **facts), warnings
        )

    @extend_schema(parameters=[IF_MATCH, ETAG], request=LimitsSerializer)
    def partial_update(self, request: Request, key_id: str) -> Response:
        """Change a key's name, note, networks or rate."""
        changes: Any = self.sent(LimitsSerializer)
        with transaction.atomic():
            key: ApiKey = self.get_object()
            # Held until the change is written: nobody comes between reading and writing.
            ApiKey.objects.select_for_update().get(pk=key.pk)
            key = documented(ApiKey.objects.filter(pk=key.pk)).get()
            preconditions.refuse_stale(request, preconditions.etag_of(self.get_serializer(key).data))
            if {"allowed_ips", "rate_limit_per_hour"} & changes.keys():
                networks = changes.get("allowed_ips", key.allowed_ips)
                rate = changes.get("rate_limit_per_hour", key.rate_limit_per_hour)
                self.rights.refuse_limits(networks, rate)
            actions.change_key(key=key, actor=self.actor, **changes)
        return self.shown(self.get_object())

    @extend_schema(responses={200: MessageSerializer})
    def destroy(self, request: Request, key_id: str) -> Response:
        """Revoke a key, as the predecessor's clients ask for it."""
        key = actions.revoke_key(key=self.get_object(), reason="Revoked by DELETE", actor=self.actor)
        return Response({"message": f"Key {key} is revoked."})

    @extend_schema(request=RotationSerializer, responses={201: IssuedKeySerializer})
    @action(detail=True, methods=["post"])
    def rotate(self, request: Request, key_id: str) -> Response:
        """Issue a key's successor, and show its secret this once; the old one works until the grace ends."""
        grace = datetime.timedelta(seconds=self.sent(RotationSerializer)["grace_seconds"])
        key: ApiKey = self.get_object()
        if not self.rights.may_issue(key.service):
            raise PermissionDenied(f"You may not issue keys of service {key.service}.")
        self.rights.refuse_scopes(key.service, key.scopes)
        self.rights.refuse_limits(key.allowed_ips, key.rate_limit_per_hour)
        return self.shown_once(actions.rotate_key(key=key, grace=grace, actor=self.actor))

    @extend_schema(request=ReasonSerializer, responses=KeySerializer)
    @action(detail=True, methods=["post"])
    def revoke(self, request: Request, key_id: str) -> Response:
        """End a key for good, from the next request on."""
        facts = self.sent(ReasonSerializer)
        actions.revoke_key(key=self.get_object(), actor=self.actor, **facts)
        return self.shown(self.get_object())

    @extend_schema(request=ReasonSerializer, responses=KeySerializer)
    @action(detail=True, methods=["post"])
    def disable(self, request: Request, key_id: str) -> Response:
        """Pause a key, from the next request on."""
        facts = self.sent(ReasonSerializer)
        actions.disable_key(key=self.get_object(), actor=self.actor, **facts)
        return self.shown(self.get_object())

    @extend_schema(request=OptionalReasonSerializer, responses=KeySerializer)
    @action(detail=True, methods=["post"])
    def enable(self, request: Request, key_id: str) -> Response:
        """End a key's pause."""
        facts = self.sent(OptionalReasonSerializer)
        actions.enable_key(key=self.get_object(), actor=self.actor, **facts)
        return self.shown(self.get_object())

    def service_named(self, service_id: str | None) -> Service:
        """Return the service to issue for; raises Http404 for one out of sight, PermissionDenied for another's."""
        if service_id is None:
            key = cast("ApiKey | None", self.request.auth)
            if key is None:
                raise ValidationError({"service_id": "Say for which service: a session has none of its own."})
            return key.service
        service = self.rights.services().filter(service_id=service_id).first()
        if service is None:
            raise Http404
        if not self.rights.may_issue(service):
            raise PermissionDenied(f"You may not issue keys of service {service}.")
        return service

    def shown(self, key: ApiKey) -> Response:
        document = self.get_serializer(key).data
        return Response(document, headers={"ETag": preconditions.etag_of(document)})

    def shown_once(self, issued: IssuedKey, warnings: Sequence[str] = ()) -> Response:
        """Return the one reply that holds the secret, which nothing on the way may keep."""
        row: Any = documented(ApiKey.objects.filter(pk=issued.row.pk)).get()
        row.secret = row.api_key = issued.secret.text
        row.key_info, row.warnings = row, warnings
        return Response(IssuedKeySerializer(row).data, status=201, headers={"Cache-Control": "no-store"})


def documented(keys: ApiKeyQuerySet) -> ApiKeyQuerySet:
    """Return the keys with all that a document tells of them."""
    grace = Case(When(successor__isnull=False, then=F("expires_at")))
    return keys.with_status().annotate(grace_ends_at=grace).select_related("predecessor", "successor")


def narrowed(keys: QuerySet[ApiKey], asked: dict[str, Any]) -> QuerySet[ApiKey]:
    """Return the keys that meet every filter asked for."""
    # No database asks lists in JSON in the same words; all of them look into text.
    keys = keys.annotate(scopes_text=Cast("scopes", TextField()))
    for name, condition in FILTERS.items():
        if asked.get(name) is not None:
            keys = keys.filter(condition(asked[name]))
    return keys
