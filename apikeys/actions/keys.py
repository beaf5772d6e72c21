"""Writes keys: issues, rotates, revokes, pauses and changes them, each with its event; decides no right of the caller.

A key's secret exists only as the return value of issuing and rotating.
"""

import datetime
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypedDict, Unpack

from django.db import IntegrityError, transaction

from apikeys import conf, keys, rules
from apikeys import scopes as words_of_scope
from apikeys.actions.notes import record_of_key
from apikeys.models import ApiKey, Service, database_now
from apikeys.rules import ActionRefusedError, AlreadyIssuedError, AlreadyRevokedError, AlreadyRotatedError
from apikeys.trail import Actor

MINIMUM_LIFETIME = datetime.timedelta(seconds=1)
INHERITED = ("service", "name", "note", "scopes", "environment", "allowed_ips", "rate_limit_per_hour")
DEFAULT_GRACE = datetime.timedelta(hours=24)


class KeyChanges(TypedDict, total=False):
    """What change_key takes; what is left out stays as it is."""

    name: str
    note: str
    allowed_ips: Iterable[str]
    rate_limit_per_hour: int | None


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A new key's row and its secret, which is nowhere else and is out of repr."""

    row: ApiKey
    secret: keys.Key


@transaction.atomic
def issue_key(
    *,
    service: Service,
    name: str,
    scopes: Iterable[str],
    expires_in_days: int | None = None,
    environment: str = "live",
    allowed_ips: Iterable[str] = (),
    rate_limit_per_hour: int | None = None,
    note: str = "",
    idempotency_key: str = "",
    actor: Actor,
) -> IssuedKey:
    """Create a key and return it with its secret.

    Without scopes, lifetime (days) or rate, it gets the service's defaults, and else the policy's lifetime and rate.
    Raises ActionRefusedError when the service is disabled or a limit is outside policy, AlreadyIssuedError when the
    actor sent the same idempotency key before, UnknownScopeError for a bad scope, ValidationError for a bad name.
    """
    service = Service.objects.select_for_update().get(pk=service.pk)
    once = _refuse_repeat(actor, idempotency_key)
    if service.is_disabled:
        raise ActionRefusedError(f"service {service} is disabled: enable it before issuing keys")
    days = next(d for d in (expires_in_days, service.default_days, conf.default_days()) if d is not None)
    rate = service.default_rate_limit_per_hour if rate_limit_per_hour is None else rate_limit_per_hour
    rules.refuse_days(days)
    rules.refuse_rate(rate)
    draft = ApiKey(
        service=service,
        name=name.strip(),
        note=note.strip(),
        scopes=words_of_scope.normalise(list(scopes) or service.default_scopes),
        environment=rules.environment(environment),
        allowed_ips=rules.networks(allowed_ips),
        rate_limit_per_hour=rate,
        idempotency_digest=once,
    )
    try:
        with transaction.atomic():
            issued = _mint_into(draft, datetime.timedelta(days=days), actor)
    except IntegrityError:
        if not once:
            raise
        # The same form twice at once: the constraint has chosen one.
        raise AlreadyIssuedError(ApiKey.objects.get(idempotency_digest=once)) from None
    record_of_key("api_key_issued", issued.row, actor, after=_facts(issued.row))
    return issued


@transaction.atomic
def rotate_key(*, key: ApiKey, grace: datetime.timedelta = DEFAULT_GRACE, actor: Actor) -> IssuedKey:
    """Create a key's successor; the old one works until the grace ends, never past its own expiry.

    The successor lives as long as the old key was issued for, within policy, and holds the same scopes.
    Raises AlreadyRevokedError, AlreadyRotatedError, or ActionRefusedError for an expired key or a bad grace.
    """
    key = ApiKey.objects.select_for_update(of=("self",)).with_validity().get(pk=key.pk)
    _refuse_unusable(key)
    if not datetime.timedelta() <= grace <= datetime.timedelta(days=conf.maximum_days()):
        raise ActionRefusedError("the grace must be between 0 seconds and the longest lifetime of a key")
    lifetime = min(key.expires_at - key.created_at, datetime.timedelta(days=conf.maximum_days()))
    try:
        with transaction.atomic():
            draft = ApiKey(
                predecessor=key,
                lineage=key.lineage,
                **{field: getattr(key, field) for field in INHERITED},
            )
            issued = _mint_into(draft, max(lifetime, MINIMUM_LIFETIME), actor)
    except IntegrityError:
        # Two rotations at once on a database without row locks: the constraint has chosen one.
        raise AlreadyRotatedError(f"key {key} already has a successor: rotate that one") from None
    before = {"expires_at": key.expires_at}
    key.expires_at = min(key.expires_at, issued.row.created_at + grace)
    key.save(update_fields=["expires_at"])
    after = {"expires_at": key.expires_at, "successor": issued.row.public_id}
    record_of_key("api_key_rotated", key, actor, before=before, after=after)
    return issued


@transaction.atomic
def revoke_key(*, key: ApiKey, reason: str, actor: Actor) -> ApiKey:
    """End a key for good; every worker refuses it from the next request on. Raises AlreadyRevokedError."""
    key = ApiKey.objects.select_for_update(of=("self",)).select_related("service").get(pk=key.pk)
    if key.is_revoked:
        raise AlreadyRevokedError(f"key {key} was already revoked: {key.revoked_reason}")
    key.revoked_at, key.revoked_reason = database_now(), rules.reason(reason)
    key.save(update_fields=["revoked_at", "revoked_reason"])
    record_of_key("api_key_revoked", key, actor, reason=reason)
    return key


@transaction.atomic
def disable_key(*, key: ApiKey, reason: str, actor: Actor) -> ApiKey:
    """Pause a key: it is refused from the next request on, until it is enabled."""
    key = ApiKey.objects.select_for_update(of=("self",)).select_related("service").get(pk=key.pk)
    if key.is_revoked:
        raise AlreadyRevokedError(f"key {key} was revoked: {key.revoked_reason}")
    if key.is_disabled:
        raise ActionRefusedError(f"key {key} is already disabled: {key.disabled_reason}")
    key.disabled_at, key.disabled_reason = database_now(), rules.reason(reason)
    key.save(update_fields=["disabled_at", "disabled_reason"])
    record_of_key("api_key_disabled", key, actor, reason=reason)
    return key


@transaction.atomic
def enable_key(*, key: ApiKey, reason: str = "", actor: Actor) -> ApiKey:
    """End a key's pause; it works again unless it has ended meanwhile."""
    key = ApiKey.objects.select_for_update(of=("self",)).select_related("service").get(pk=key.pk)
    if not key.is_disabled:
        raise ActionRefusedError(f"key {key} is not disabled")
    before = {"disabled_at": key.disabled_at, "disabled_reason": key.disabled_reason}
    rules.refuse_secret(reason)
    key.disabled_at, key.disabled_reason = None, ""
    key.save(update_fields=["disabled_at", "disabled_reason"])
    record_of_key("api_key_enabled", key, actor, before=before, reason=reason)
    return key


@transaction.atomic
def change_key(*, key: ApiKey, actor: Actor, **changes: Unpack[KeyChanges]) -> ApiKey:
    """Change what people know of a key, and its limits; nothing is written when nothing differs.

    Raises AlreadyRevokedError for a limit of a key that has ended for good, ActionRefusedError for one outside policy
    or a text that holds a key, ValidationError for a text that is empty or too long.
    """
    key = ApiKey.objects.select_for_update(of=("self",)).select_related("service").get(pk=key.pk)
    rules.refuse_rate(changes.get("rate_limit_per_hour"))
    if "allowed_ips" in changes:
        changes["allowed_ips"] = rules.networks(changes["allowed_ips"])
    asked: dict[str, Any] = {word: fact.strip() if isinstance(fact, str) else fact for word, fact in changes.items()}
    after = {word: fact for word, fact in asked.items() if fact != getattr(key, word)}
    for text in (after.get("name", ""), after.get("note", "")):
        rules.refuse_secret(text)
    if not after:
        return key
    if key.is_revoked and set(after) != {"note"}:
        raise AlreadyRevokedError(f"key {key} was revoked: {key.revoked_reason}")
    before = {word: getattr(key, word) for word in after}
    for word, fact in after.items():
        setattr(key, word, fact)
    key.full_clean(validate_constraints=False, validate_unique=False)
    key.save(update_fields=list(after))
    if set(after) == {"note"}:
        record_of_key("api_key_annotated", key, actor, before=before, after=after)
    else:
        record_of_key("api_key_changed", key, actor, before=before, after=after)
    return key


def _refuse_unusable(key: ApiKey) -> None:
    if key.is_revoked:
        raise AlreadyRevokedError(f"key {key} was revoked: {key.revoked_reason}")
    if key.is_disabled:
        raise ActionRefusedError(f"key {key} is disabled: enable it before rotating it")
    if hasattr(key, "successor"):
        raise AlreadyRotatedError(f"key {key} already has a successor: rotate {key.successor}")
    if key.is_expired:  # type: ignore[attr-defined]
        raise ActionRefusedError(f"key {key} has expired: issue a new one")
    if key.service.is_disabled:
        raise ActionRefusedError(f"service {key.service} is disabled: enable it before rotating its keys")


def _refuse_repeat(actor: Actor, idempotency_key: str) -> str:
    """Return what the row keeps of an idempotency key, so that its second use is refused."""
    if not idempotency_key:
        return ""
    digest = hashlib.sha256(f"{actor.name}\0{idempotency_key}".encode()).hexdigest()
    if (earlier := ApiKey.objects.filter(idempotency_digest=digest).first()) is not None:
        raise AlreadyIssuedError(earlier)
    return digest


def _mint_into(row: ApiKey, lifetime: datetime.timedelta, actor: Actor) -> IssuedKey:
    """Give a draft its secret, digest and times, and save it."""
    rules.refuse_secret(row.name)
    rules.refuse_secret(row.note)
    peppers = conf.peppers()
    secret = keys.mint(row.environment)
    now = database_now()
    row.public_id, row.lineage = secret.public_id, row.lineage or secret.public_id
    row.digest, row.pepper_number = keys.digest(secret, max(peppers), peppers), max(peppers)
    row.created_at, row.created_by, row.expires_at = now, actor.name, now + lifetime
    # Constraints are left to the database: checked here, a lost race would read as a mistake of the caller.
    row.full_clean(validate_constraints=False, validate_unique=False)
    row.save(force_insert=True)
    return IssuedKey(row, secret)


def _facts(row: ApiKey) -> dict[str, object]:
    return {
        "name": row.name,
        "note": row.note,
        "scopes": row.scopes,
        "expires_at": row.expires_at,
        "allowed_ips": row.allowed_ips,
        "rate_limit_per_hour": row.rate_limit_per_hour,
    }
