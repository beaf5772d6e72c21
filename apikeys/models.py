"""Services, API keys and the audit trail: data, constraints, yes/no questions and named queries; writes nothing."""

from __future__ import annotations

import datetime
from typing import NoReturn

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import connection, models
from django.db.models import F, Q
from django.db.models.functions import Now

from apikeys import keys, statuses
from apikeys.deliveries import Delivery, Webhook
from apikeys.rollups import ClientVersion, Usage

__all__ = [
    "DEFAULT_SERVICE",
    "ApiKey",
    "AuditEvent",
    "ClientVersion",
    "Delivery",
    "KeyNetwork",
    "Service",
    "Usage",
    "Webhook",
    "database_now",
]

DEFAULT_SERVICE = "platform"
SERVICE_ID_PATTERN = r"^[a-z0-9-]{1,63}$"


def database_now() -> datetime.datetime:
    """Return the database's clock: the only one that decides when a key begins and ends."""
    is_postgresql = connection.vendor == "postgresql"
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT STATEMENT_TIMESTAMP()" if is_postgresql else "SELECT strftime('%Y-%m-%d %H:%M:%f', 'now')"
        )
        (value,) = cursor.fetchone()
    now: datetime.datetime = datetime.datetime.fromisoformat(value) if isinstance(value, str) else value
    return now if now.tzinfo else now.replace(tzinfo=datetime.UTC)


class Service(models.Model):
    """A registered calling program; owns keys."""

    service_id = models.CharField(
        max_length=63,
        unique=True,
        validators=[RegexValidator(SERVICE_ID_PATTERN, "Use 1 to 63 of a-z, 0-9 and hyphen.")],
    )
    description = models.CharField(max_length=500, blank=True)
    owner = models.CharField(max_length=200, blank=True)
    contact = models.CharField(max_length=200, blank=True)
    # MLflow workspaces it may act in; empty is MLflow's default one.
    workspaces = models.JSONField(default=list, editable=False)
    # Whether its callers may be sent to the artifact store with addresses that the portal signs.
    presigned_urls = models.BooleanField(default=False, db_default=False, editable=False)
    # What a new key gets unless told otherwise; empty and null leave it to whoever issues, and to the policy.
    default_scopes = models.JSONField(default=list, db_default=[], editable=False)
    default_days = models.PositiveIntegerField(null=True, editable=False)
    default_rate_limit_per_hour = models.PositiveIntegerField(null=True, editable=False)
    # Staff who may act for it without acting for every service.
    issuers = models.ManyToManyField(settings.AUTH_USER_MODEL, related_name="issues_for", editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    disabled_at = models.DateTimeField(null=True, blank=True, editable=False)
    disabled_reason = models.CharField(max_length=500, blank=True, editable=False)

    class Meta:
        ordering = ("service_id",)
        permissions = (
            ("view_mlflow_ui", "Can view MLflow's web interface"),
            ("edit_mlflow_ui", "Can change and delete in MLflow's web interface, and promote models"),
            ("see_every_service", "Can see every service, its keys and events"),
            ("act_for_every_service", "Can act for every service"),
        )
        constraints = (
            models.CheckConstraint(name="service_id_shape", condition=Q(service_id__regex=SERVICE_ID_PATTERN)),
            models.CheckConstraint(
                name="service_disabled_with_reason",
                condition=Q(disabled_at__isnull=True, disabled_reason="")
                | (Q(disabled_at__isnull=False) & ~Q(disabled_reason="")),
            ),
        )

    def __str__(self) -> str:
        return self.service_id

    @property
    def is_disabled(self) -> bool:
        return self.disabled_at is not None


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    def with_validity(self) -> ApiKeyQuerySet:
        """Annotate ``is_expired`` by the database's clock, so that no replica's clock can prolong a key.

        And ``replaced_at``: since when it has a successor, None without one.
        """
        return self.select_related("service").annotate(
            is_expired=models.ExpressionWrapper(Q(expires_at__lte=Now()), output_field=models.BooleanField()),
            replaced_at=F("successor__created_at"),
        )

    def usable(self) -> ApiKeyQuerySet:
        """Keys that authenticate now."""
        return self.filter(
            revoked_at__isnull=True,
            expires_at__gt=Now(),
            disabled_at__isnull=True,
            service__disabled_at__isnull=True,
        )

    def with_status(self) -> ApiKeyQuerySet:
        """Annotate ``status``, a word of apikeys.statuses."""
        return self.with_validity().annotate(status=statuses.expression())


class ApiKey(models.Model):
    """A credential of a service: a public id that screens and logs show, and the digest of a secret shown once."""

    service = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="keys")
    public_id = models.CharField(max_length=24, unique=True, editable=False)
    digest = models.CharField(max_length=64, editable=False)
    pepper_number = models.PositiveSmallIntegerField(editable=False)
    environment = models.CharField(max_length=4, choices=[(word, word) for word in keys.ENVIRONMENTS], editable=False)
    name = models.CharField(max_length=100)
    note = models.CharField(max_length=500, blank=True, default="", db_default="")
    scopes = models.JSONField(editable=False)
    # The public id of the first key of a chain of rotations: limits belong to the chain.
    lineage = models.CharField(max_length=24, editable=False)
    rate_limit_per_hour = models.PositiveIntegerField(null=True, editable=False)
    allowed_ips = models.JSONField(default=list, editable=False)
    created_at = models.DateTimeField(editable=False)
    created_by = models.CharField(max_length=200, editable=False)
    expires_at = models.DateTimeField(editable=False)
    revoked_at = models.DateTimeField(null=True, editable=False)
    revoked_reason = models.CharField(max_length=500, blank=True, editable=False)
    disabled_at = models.DateTimeField(null=True, editable=False)
    disabled_reason = models.CharField(max_length=500, blank=True, default="", db_default="", editable=False)
    # Of the actor and the token of the form or request that issued it: sent twice, it makes one key.
    idempotency_digest = models.CharField(max_length=64, blank=True, default="", db_default="", editable=False)
    # One to one: however many rotations race, a key has one successor.
    predecessor = models.OneToOneField(
        "self", null=True, on_delete=models.PROTECT, related_name="successor", editable=False
    )
    last_used_at = models.DateTimeField(null=True, editable=False)
    last_used_ip = models.GenericIPAddressField(null=True, editable=False)
    last_used_agent = models.CharField(max_length=200, blank=True, editable=False)

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        verbose_name = "API key"
        ordering = ("-created_at", "-pk")
        constraints = (
            models.CheckConstraint(name="key_public_id_shape", condition=Q(public_id__regex=keys.PUBLIC_ID_PATTERN)),
            models.CheckConstraint(name="key_digest_shape", condition=Q(digest__regex=r"^[0-9a-f]{64}$")),
            models.CheckConstraint(name="key_name_given", condition=~Q(name="")),
            models.CheckConstraint(name="key_ends_after_start", condition=Q(expires_at__gte=F("created_at"))),
            models.CheckConstraint(
                name="key_revoked_with_reason",
                condition=Q(revoked_at__isnull=True, revoked_reason="")
                | (Q(revoked_at__isnull=False) & ~Q(revoked_reason="")),
            ),
            models.UniqueConstraint(
                name="key_issued_once", fields=["idempotency_digest"], condition=~Q(idempotency_digest="")
            ),
            models.CheckConstraint(
                name="key_disabled_with_reason",
                condition=Q(disabled_at__isnull=True, disabled_reason="")
                | (Q(disabled_at__isnull=False) & ~Q(disabled_reason="")),
            ),
        )

    def __str__(self) -> str:
        return self.public_id

    @property
    def is_revoked(self) -> bool:
        return self.revoked_at is not None

    @property
    def is_disabled(self) -> bool:
        return self.disabled_at is not None


class KeyNetwork(models.Model):
    """A network that a key was used from; only ``apikeys.sightings`` makes rows, and ``actions`` notes who was told."""

    key = models.ForeignKey(ApiKey, on_delete=models.PROTECT, related_name="networks", editable=False)
    network = models.CharField(max_length=43, editable=False)
    first_seen_at = models.DateTimeField(db_default=Now(), editable=False)
    noticed_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        # No screen of its own: seen by whoever may see the key.
        default_permissions = ()
        ordering = ("pk",)
        constraints = (models.UniqueConstraint(name="key_network_once", fields=("key", "network")),)

    def __str__(self) -> str:
        return self.network


class AuditEvent(models.Model):
    """One line of the append-only trail: who did what to which object, and why."""

    at = models.DateTimeField(db_default=Now(), editable=False)
    action = models.CharField(max_length=64)
    actor = models.CharField(max_length=200)
    service_id = models.CharField(max_length=63, blank=True)
    object_id = models.CharField(max_length=100)
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)
    reason = models.CharField(max_length=500, blank=True)
    address = models.GenericIPAddressField(null=True)
    request_id = models.CharField(max_length=64, blank=True)

    class Meta:
        ordering = ("-at", "-pk")
        indexes = (
            models.Index(fields=["-at"]),
            models.Index(fields=["object_id", "-at"]),
            models.Index(fields=["service_id", "-at"]),
            models.Index(fields=["action", "-at"]),
            models.Index(fields=["actor", "-at"]),
        )

    def __str__(self) -> str:
        return f"{self.action} {self.object_id} by {self.actor}"

    def save(self, *args: object, **kwargs: object) -> None:
        if self.pk is not None:
            raise TypeError("an audit event is never changed")
        super().save(*args, **kwargs)

    def delete(self, *args: object, **kwargs: object) -> NoReturn:
        raise TypeError("an audit event is never deleted")
