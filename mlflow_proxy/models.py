"""What storage health keeps: checks of a day, changes and hours of a month, what was told, a walk, who holds a lease.

Data alone: mlflow_proxy.health.history, mlflow_proxy.health.walks and mlflow_proxy.leases write it.
"""

from django.db import models
from django.db.models.functions import Now

LIGHTS = ("green", "amber", "red")


class StorageCheck(models.Model):
    """One round of all probes; ``ended_at`` is empty while it runs, and stays so when its process dies."""

    started_at = models.DateTimeField(db_default=Now(), editable=False)
    ended_at = models.DateTimeField(null=True, editable=False)
    asked_by = models.CharField(max_length=200, editable=False)
    expected = models.PositiveSmallIntegerField(editable=False)
    light = models.CharField(max_length=5, blank=True, choices=[(word, word) for word in LIGHTS], editable=False)
    # The probes as mlflow_proxy.health.answers.Probe, in order.
    answers = models.JSONField(default=list, editable=False)

    class Meta:
        verbose_name = "storage check"
        verbose_name_plural = "storage health"
        ordering = ("-started_at", "-pk")
        default_permissions = ("view",)
        indexes = (models.Index(fields=["-started_at"]),)

    def __str__(self) -> str:
        return f"{self.started_at:%Y-%m-%d %H:%M} {self.light or 'running'}"


class StateChange(models.Model):
    """A probe's answer became another one; its newest row tells since when the answer stands."""

    name = models.CharField(max_length=40, editable=False)
    at = models.DateTimeField(editable=False)
    status = models.CharField(max_length=7, editable=False)
    reason = models.CharField(max_length=40, blank=True, editable=False)

    class Meta:
        ordering = ("-at", "-pk")
        default_permissions = ()
        indexes = (models.Index(fields=["name", "-at"]),)

    def __str__(self) -> str:
        return f"{self.name} {self.status} {self.at:%Y-%m-%d %H:%M}"


class HealthHour(models.Model):
    """The worst light of an hour."""

    hour = models.DateTimeField(unique=True, editable=False)
    light = models.CharField(max_length=5, choices=[(word, word) for word in LIGHTS], editable=False)

    class Meta:
        ordering = ("-hour",)
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.hour:%Y-%m-%d %H} {self.light}"


class AlertChannel(models.Model):
    """What a channel was last told: the failing probes, and when."""

    name = models.CharField(max_length=20, unique=True, editable=False)
    told = models.JSONField(default=list, editable=False)
    told_at = models.DateTimeField(editable=False)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.name


class DoctorWalk(models.Model):
    """A walk of the doctor; ``ended_at`` is empty while it is under way, and stays so when its process dies."""

    started_at = models.DateTimeField(db_default=Now(), editable=False)
    ended_at = models.DateTimeField(null=True, editable=False)
    asked_by = models.CharField(max_length=200, editable=False)
    # The portal's address, without a path.
    portal = models.CharField(max_length=300, editable=False)
    # How far the hop that is under way is, in words.
    moved = models.CharField(max_length=40, blank=True, editable=False)
    # The hops that have ended as mlflow_proxy.health.answers.Probe, in order.
    hops = models.JSONField(default=list, editable=False)

    class Meta:
        ordering = ("-started_at", "-pk")
        # Seen by whoever may see storage health.
        default_permissions = ()
        permissions = (("start_doctorwalk", "Can let the doctor walk"),)

    def __str__(self) -> str:
        return f"{self.started_at:%Y-%m-%d %H:%M} to {self.portal}"


class Lease(models.Model):
    """Who does a thing that one process at a time may do, since when, and until when without a sign of life."""

    name = models.CharField(max_length=40, primary_key=True, editable=False)
    holder = models.CharField(max_length=200, blank=True, editable=False)
    taken_at = models.DateTimeField(editable=False)
    until = models.DateTimeField(editable=False)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.name} {self.holder}"
