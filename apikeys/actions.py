"""The only writers of services, keys and the audit trail: each writes its event in the same transaction.

Everything that changes a key (commands, admin, REST) calls these keyword-only functions. They decide no right
of the caller; a key's secret exists only as their return value.
"""

import datetime
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.db import IntegrityError, transaction

from apikeys import addresses, conf, keys
from apikeys import scopes as words_of_scope
from apikeys.models import ApiKey, AuditEvent, Service, database_now
from apikeys.redaction import redact_keys

MINIMUM_LIFETIME = datetime.timedelta(seconds=1)
# MLflow's own rule (store/workspace/abstract_store).
WORKSPACE_PATTERN = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
MAXIMUM_RATE = 1_000_000
INHERITED = ("service", "name", "scopes", "environment", "allowed_ips", "rate_limit_per_hour")
MAXIMUM_REASON_LENGTH = 500
DEFAULT_GRACE = datetime.timedelta(hours=24)
EXPIRY_NOTICED = "api_key_expiry_noticed"


class ActionRefusedError(Exception):
    """The change is against a rule; nothing was written. The message is for the person who asked."""


class AlreadyRevokedError(ActionRefusedError):
    """The key is already revoked: that is final and cannot be repeated, rotated or undone."""


class AlreadyRotatedError(ActionRefusedError):
    """The key has a successor: rotate that one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who asks for a change, as the audit trail will show it."""

    name: str
    address: str | None = None
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A new key's row and its secret, which is nowhere else and is out of repr."""

    row: ApiKey
    secret: keys.Key


@transaction.atomic
def create_service(*, service_id: str, description: str = "", owner: str = "", actor: Actor) -> Service:
    """Register a calling program; raises django.core.exceptions.ValidationError for a bad or taken id."""
    for text in (description, owner):
        _refuse_secret(text)
    service = Service(service_id=service_id, description=description, owner=owner)
    service.full_clean()
    service.save()
    _record("service_created", service, service.service_id, actor, after={"description": description, "owner": owner})
    return service


@transaction.atomic
def disable_service(*, service: Service, reason: str, actor: Actor) -> Service:
    """Pause a service: every key of it is refused from the next request on."""
    service = Service.objects.select_for_update().get(pk=service.pk)
    if service.is_disabled:
        raise ActionRefusedError(f"service {service} is already disabled: {service.disabled_reason}")
    service.disabled_at, service.disabled_reason = database_now(), _reason(reason)
    service.save(update_fields=["disabled_at", "disabled_reason"])
    _record("service_disabled", service, service.service_id, actor, reason=reason)
    return service


@transaction.atomic
def enable_service(*, service: Service, reason: str = "", actor: Actor) -> Service:
    """End a pause; the keys that are neither revoked nor expired work again."""
    service = Service.objects.select_for_update().get(pk=service.pk)
    if not service.is_disabled:
        raise ActionRefusedError(f"service {service} is not disabled")
    before = {"disabled_at": service.disabled_at, "disabled_reason": service.disabled_reason}
    _refuse_secret(reason)
    service.disabled_at, service.disabled_reason = None, ""
    service.save(update_fields=["disabled_at", "disabled_reason"])
    _record("service_enabled", service, service.service_id, actor, before=before, reason=reason)
    return service


@transaction.atomic
def pin_service(*, service: Service, workspaces: Iterable[str], actor: Actor) -> Service:
    """Let a service act in these MLflow workspaces only, the first being its default; none is MLflow's default one."""
    names = list(workspaces)
    refuse_bad_workspaces(names)
    service = Service.objects.select_for_update().get(pk=service.pk)
    before = {"workspaces": service.workspaces}
    service.workspaces = names
    service.save(update_fields=["workspaces"])
    _record("service_pinned", service, service.service_id, actor, before=before, after={"workspaces": names})
    return service


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
    actor: Actor,
) -> IssuedKey:
    """Create a key and return it with its secret.

    The lifetime is in days, by default the policy's. Raises ActionRefusedError when the service is disabled or the
    lifetime is outside policy, UnknownScopeError for a bad scope, ValidationError for a bad name.
    """
    service = Service.objects.select_for_update().get(pk=service.pk)
    if service.is_disabled:
        raise ActionRefusedError(f"service {service} is disabled: enable it before issuing keys")
    days = conf.default_days() if expires_in_days is None else expires_in_days
    if not 1 <= days <= conf.maximum_days():
        raise ActionRefusedError(f"a key lives 1 to {conf.maximum_days()} days, not {days}")
    if rate_limit_per_hour is not None and not 10 <= rate_limit_per_hour <= MAXIMUM_RATE:
        raise ActionRefusedError(f"a key makes 10 to {MAXIMUM_RATE} calls an hour, not {rate_limit_per_hour}")
    draft = ApiKey(
        service=service,
        name=name.strip(),
        scopes=words_of_scope.normalise(scopes),
        environment=_environment(environment),
        allowed_ips=_networks(allowed_ips),
        rate_limit_per_hour=rate_limit_per_hour,
    )
    issued = _mint_into(draft, datetime.timedelta(days=days), actor)
    _record("api_key_issued", service, issued.row.public_id, actor, after=_facts(issued.row))
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
    _record("api_key_rotated", key.service, key.public_id, actor, before=before, after=after)
    return issued


@transaction.atomic
def revoke_key(*, key: ApiKey, reason: str, actor: Actor) -> ApiKey:
    """End a key for good; every worker refuses it from the next request on. Raises AlreadyRevokedError."""
    key = ApiKey.objects.select_for_update(of=("self",)).select_related("service").get(pk=key.pk)
    if key.is_revoked:
        raise AlreadyRevokedError(f"key {key} was already revoked: {key.revoked_reason}")
    key.revoked_at, key.revoked_reason = database_now(), _reason(reason)
    key.save(update_fields=["revoked_at", "revoked_reason"])
    _record("api_key_revoked", key.service, key.public_id, actor, reason=reason)
    return key


@transaction.atomic
def record_presigned_urls(*, key: ApiKey, facts: Mapping[str, object], actor: Actor) -> None:
    """Note that a key is given signed addresses of the artifact store: which object, method and how long."""
    _record("presigned_urls_issued", key.service, key.public_id, actor, after=facts)


@transaction.atomic
def set_presigned_urls(*, service: Service, is_on: bool, actor: Actor) -> Service:
    """Let a service's keys be given signed addresses of the artifact store, or end that."""
    service = Service.objects.select_for_update().get(pk=service.pk)
    before = {"presigned_urls": service.presigned_urls}
    service.presigned_urls = is_on
    service.save(update_fields=["presigned_urls"])
    after = {"presigned_urls": is_on}
    _record("service_presigning_set", service, service.service_id, actor, before=before, after=after)
    return service


@transaction.atomic
def record_expiry_notice(*, key: ApiKey, days: int, is_mailed: bool, actor: Actor) -> None:
    """Note that a key's end within so many days was told, and whether somebody was mailed."""
    facts = {"days": days, "expires_at": key.expires_at, "is_mailed": is_mailed}
    _record(EXPIRY_NOTICED, key.service, key.public_id, actor, after=facts)


def refuse_bad_workspaces(names: Iterable[str]) -> None:
    """Raise ActionRefusedError for what cannot be a workspace's name."""
    if bad := [name for name in names if re.fullmatch(WORKSPACE_PATTERN, name) is None]:
        raise ActionRefusedError(f"{bad[0]!r} is no workspace name: use 1 to 63 of a-z, 0-9 and hyphen inside")


def _refuse_unusable(key: ApiKey) -> None:
    if key.is_revoked:
        raise AlreadyRevokedError(f"key {key} was revoked: {key.revoked_reason}")
    if hasattr(key, "successor"):
        raise AlreadyRotatedError(f"key {key} already has a successor: rotate {key.successor}")
    if key.is_expired:  # type: ignore[attr-defined]
        raise ActionRefusedError(f"key {key} has expired: issue a new one")
    if key.service.is_disabled:
        raise ActionRefusedError(f"service {key.service} is disabled: enable it before rotating its keys")


def _mint_into(row: ApiKey, lifetime: datetime.timedelta, actor: Actor) -> IssuedKey:
    """Give a draft its secret, digest and times, and save it."""
    _refuse_secret(row.name)
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


def _environment(word: str) -> str:
    try:
        return conf.key_environment(word)
    except ValueError as error:
        raise ActionRefusedError(str(error)) from None


def _facts(row: ApiKey) -> dict[str, object]:
    return {
        "name": row.name,
        "scopes": row.scopes,
        "expires_at": row.expires_at,
        "allowed_ips": row.allowed_ips,
        "rate_limit_per_hour": row.rate_limit_per_hour,
    }


def _networks(texts: Iterable[str]) -> list[str]:
    networks = []
    for text in texts:
        try:
            networks.append(addresses.parse_network(text))
        except ValueError:
            raise ActionRefusedError(f"{text!r} is no address or network like 192.0.2.0/24 or 2001:db8::/32") from None
    return networks


def _refuse_secret(text: str) -> None:
    if redact_keys(text) != text:
        raise ActionRefusedError("the text holds an API key: secrets are never stored, so leave it out")


def _reason(text: str) -> str:
    _refuse_secret(text)
    if not text.strip():
        raise ActionRefusedError("give a reason: the audit trail keeps it")
    if len(text.strip()) > MAXIMUM_REASON_LENGTH:
        raise ActionRefusedError(f"the reason is longer than {MAXIMUM_REASON_LENGTH} characters")
    return text.strip()


def _record(
    action: str,
    service: Service,
    object_id: str,
    actor: Actor,
    *,
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
    reason: str = "",
) -> None:
    AuditEvent.objects.create(
        action=action,
        actor=actor.name,
        service_id=service.service_id,
        object_id=object_id,
        before=_plain(before or {}),
        after=_plain(after or {}),
        reason=reason.strip(),
        address=actor.address,
        request_id=actor.request_id,
    )


def _plain(facts: Mapping[str, object]) -> dict[str, object]:
    return {word: fact.isoformat() if isinstance(fact, datetime.datetime) else fact for word, fact in facts.items()}
