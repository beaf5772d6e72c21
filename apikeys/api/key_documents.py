"""What requests about keys say and what a key looks like in replies; decides no right and writes nothing."""

import datetime
from typing import Any

from rest_framework import serializers

from apikeys import conf, keys, legacy, rules, statuses
from apikeys import scopes as words_of_scope
from apikeys.api.fields import (
    Days,
    Networks,
    PageQuery,
    Reason,
    Scopes,
    StrictSerializer,
    Text,
    Whole,
    Word,
)
from apikeys.models import ApiKey

LONGEST_GRACE = datetime.timedelta(days=7)
DEFAULT_GRACE = datetime.timedelta(hours=24)
# Fields of the predecessor's clients that mean nothing here.
NOT_APPLIED = ("monthly_prediction_limit", "billing_plan")


class KeySerializer(serializers.ModelSerializer[ApiKey]):
    """A key without its secret. ``id``, ``key_prefix``, ``user_id`` and ``is_active`` are the predecessor's words."""

    key_id = serializers.CharField(source="public_id", help_text="The public part of the key, hk_live_…")
    service_id = serializers.CharField(source="service.service_id")
    scopes = serializers.ListField(child=serializers.CharField())
    status = serializers.ChoiceField(choices=list(statuses.DESCRIPTIONS))
    allowed_ips = serializers.ListField(child=serializers.CharField())
    rotated_from = serializers.CharField(source="predecessor.public_id", allow_null=True, default=None)
    rotated_to = serializers.CharField(source="successor.public_id", allow_null=True, default=None)
    grace_ends_at = serializers.DateTimeField(allow_null=True)
    id = serializers.CharField(source="public_id")
    key_prefix = serializers.CharField(source="public_id")
    user_id = serializers.CharField(source="service.owner")
    is_active = serializers.SerializerMethodField()

    class Meta:
        model = ApiKey
        fields: tuple[str, ...] = (
            *("key_id", "service_id", "name", "note", "scopes", "environment", "status", "allowed_ips"),
            *("rate_limit_per_hour", "created_at", "created_by", "expires_at"),
            *("last_used_at", "last_used_ip", "last_used_agent", "disabled_at", "disabled_reason"),
            *("revoked_at", "revoked_reason", "rotated_from", "rotated_to", "grace_ends_at"),
            *("id", "key_prefix", "user_id", "is_active"),
        )
        read_only_fields: tuple[str, ...] = fields

    def get_is_active(self, key: ApiKey) -> bool:
        return key.status not in {"revoked", "expired", "disabled"}  # type: ignore[attr-defined]


class IssuedKeySerializer(KeySerializer):
    """A new key, the one time that its secret is shown. ``api_key`` and ``key_info`` are the predecessor's words."""

    secret = serializers.CharField(help_text="The whole key. It is shown once and kept nowhere.")
    api_key = serializers.CharField(help_text="The same as secret.")
    key_info = KeySerializer()
    warnings = serializers.ListField(child=serializers.CharField(), help_text="What was understood in another way.")

    class Meta(KeySerializer.Meta):
        fields = (*KeySerializer.Meta.fields, "secret", "api_key", "key_info", "warnings")
        read_only_fields = fields


class KeyQuery(PageQuery):
    """What a list of keys is narrowed down by. ``service_id`` and ``active_only`` are the predecessor's."""

    service = Word(required=False, max_length=63)
    status = serializers.ChoiceField(choices=list(statuses.DESCRIPTIONS), required=False)
    scope = serializers.ChoiceField(choices=list(words_of_scope.DESCRIPTIONS), required=False)
    owner = Word(required=False, max_length=200, help_text="Of the service.")
    search = Word(required=False, max_length=100, help_text="In public id, name and note.")
    expires_before = serializers.DateTimeField(required=False)
    used_before = serializers.DateTimeField(required=False, help_text="Not used since then, or never.")
    service_id = Word(required=False, max_length=63)
    active_only = serializers.BooleanField(required=False)


class LimitsSerializer(StrictSerializer):
    """What may be changed of a key that exists."""

    name = Text(max_length=100, required=False)
    note = Text(max_length=500, required=False, allow_blank=True)
    allowed_ips = Networks(required=False, help_text="Where it may be used from; empty is anywhere.")
    rate_limit_per_hour = Whole(
        required=False,
        allow_null=True,
        min_value=rules.MINIMUM_RATE,
        max_value=rules.MAXIMUM_RATE,
        help_text="Calls an hour; null is the portal's rate.",
    )


class DraftSerializer(LimitsSerializer):
    """A key to issue. What is left out is the service's default, or the policy's."""

    name = Text(max_length=100)
    service_id = Text(max_length=63, required=False, help_text="The service of the calling key unless told.")
    scopes = Scopes(words=(*words_of_scope.DESCRIPTIONS, *legacy.MEANINGS), required=False)
    preset = serializers.ChoiceField(
        choices=list(words_of_scope.PRESETS), required=False, help_text="Added to the scopes."
    )
    expires_in_days = Days(required=False, allow_null=True, help_text="The service's or the policy's unless told.")
    environment = serializers.ChoiceField(
        choices=[*keys.ENVIRONMENTS, *conf.ENVIRONMENT_WORDS], required=False, help_text="For people; grants nothing."
    )
    monthly_prediction_limit = serializers.JSONField(
        required=False, allow_null=True, help_text="Accepted and not applied."
    )
    billing_plan = serializers.JSONField(required=False, allow_null=True, help_text="Accepted and not applied.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Put preset and scopes together, and say what was read in another way than it was written."""
        asked = (*attrs.pop("scopes", ()), *words_of_scope.PRESETS.get(attrs.pop("preset", ""), ()))
        chosen, warnings = legacy.expand(asked)
        for word in NOT_APPLIED:
            if attrs.pop(word, None) is not None:
                warnings.append(f"{word} is accepted and not applied.")
        return attrs | {"scopes": chosen, "warnings": warnings}


class RotationSerializer(StrictSerializer):
    """How long the old key works on; never past its own expiry."""

    grace_seconds = Whole(
        required=False,
        min_value=0,
        max_value=int(LONGEST_GRACE.total_seconds()),
        default=int(DEFAULT_GRACE.total_seconds()),
    )


class ReasonSerializer(StrictSerializer):
    """Why it is done; the audit trail keeps it."""

    reason = Reason()


class OptionalReasonSerializer(StrictSerializer):
    """Why it is done, for who wants to say so."""

    reason = Reason(required=False, allow_blank=True, default="")


class MessageSerializer(serializers.Serializer[Any]):
    message = serializers.CharField()
