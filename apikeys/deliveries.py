"""Webhooks and what was sent to them: data, constraints and named queries; writes nothing."""

from __future__ import annotations

import uuid
from types import MappingProxyType

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

WEBHOOK_ID_PATTERN = r"^[a-z0-9-]{1,63}$"
STORAGE_CHANGED, TEST = "storage_health.changed", "webhook.test"
# What a webhook may ask for; the last goes out when somebody asks for it.
TYPES = MappingProxyType(
    {
        "key.issued": "a key was issued",
        "key.rotated": "a key was given a successor",
        "key.expiring": "a key ends within 30, 7 or 1 days",
        "key.leaked": "a key was ended because somebody who holds it reported it",
        "key.revoked": "a key was ended for good",
        STORAGE_CHANGED: "storage began to fail, or works again",
    }
)
STATUSES = MappingProxyType(
    {
        "pending": "waits for its next try",
        "delivered": "was taken",
        "given up": "was not taken, and is not tried any more",
    }
)


class Webhook(models.Model):
    """Where messages go, and which: the secret that signs them is derived from the seed, and stored nowhere."""

    webhook_id = models.CharField(
        max_length=63,
        unique=True,
        validators=[RegexValidator(WEBHOOK_ID_PATTERN, "Use 1 to 63 of a-z, 0-9 and hyphen.")],
    )
    url = models.CharField(max_length=2000, editable=False)
    types = models.JSONField(default=list, editable=False)
    seed = models.CharField(max_length=64, editable=False)
    # Signs as well until then, so that a receiver can change over.
    old_seed = models.CharField(max_length=64, blank=True, editable=False)
    old_seed_until = models.DateTimeField(null=True, editable=False)
    # The number of an event of the trail: those up to it are queued, or are not for this webhook.
    cursor = models.BigIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    created_by = models.CharField(max_length=200, editable=False)
    disabled_at = models.DateTimeField(null=True, editable=False)
    disabled_reason = models.CharField(max_length=500, blank=True, editable=False)

    class Meta:
        ordering = ("webhook_id",)
        default_permissions = ("view", "add", "change")
        constraints = (
            models.CheckConstraint(name="webhook_id_shape", condition=Q(webhook_id__regex=WEBHOOK_ID_PATTERN)),
            models.CheckConstraint(
                name="webhook_disabled_with_reason",
                condition=Q(disabled_at__isnull=True, disabled_reason="")
                | (Q(disabled_at__isnull=False) & ~Q(disabled_reason="")),
            ),
        )

    def __str__(self) -> str:
        return self.webhook_id

    @property
    def is_disabled(self) -> bool:
        return self.disabled_at is not None


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    def due(self) -> DeliveryQuerySet:
        """What is to be tried now, the oldest first."""
        pending = self.filter(status="pending", next_try_at__lte=Now(), webhook__disabled_at__isnull=True)
        return pending.order_by("pk")


class Delivery(models.Model):
    """One message to one webhook, and how often it was tried; its id stays the same however often that is."""

    webhook = models.ForeignKey(Webhook, on_delete=models.PROTECT, related_name="deliveries", editable=False)
    message_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    type = models.CharField(max_length=40, editable=False)
    document = models.JSONField(editable=False)
    # Of the audit trail, and no foreign key: the trail may be cut by its owner.
    event_number = models.BigIntegerField(null=True, editable=False)
    status = models.CharField(max_length=10, default="pending", editable=False)
    attempts = models.PositiveSmallIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    tried_at = models.DateTimeField(null=True, editable=False)
    next_try_at = models.DateTimeField(null=True, db_default=Now(), editable=False)
    # The last answer: its status, and in words what was wrong.
    answer_status = models.PositiveSmallIntegerField(null=True, editable=False)
    fault = models.CharField(max_length=200, blank=True, editable=False)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at", "-pk")
        default_permissions = ("view",)
        verbose_name_plural = "deliveries"
        indexes = (
            models.Index(fields=["status", "next_try_at"]),
            models.Index(fields=["-created_at"]),
        )
        constraints = (
            models.UniqueConstraint(
                name="delivery_of_an_event_once",
                fields=["webhook", "event_number"],
                condition=Q(event_number__isnull=False),
            ),
            models.CheckConstraint(
                name="delivery_pending_has_next_try",
                condition=Q(status="pending", next_try_at__isnull=False) | (~Q(status="pending") & Q(next_try_at=None)),
            ),
        )

    def __str__(self) -> str:
        return f"msg_{self.message_id.hex}"
