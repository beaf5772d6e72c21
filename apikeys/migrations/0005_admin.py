"""Add what the admin's screens need: notes and pauses of keys, defaults and issuers of services, indexes of the trail.

Every new column has the database's own default or is null: the release before this one goes on writing rows meanwhile.
"""

from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("apikeys", "0004_usage"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="service",
            options={
                "ordering": ("service_id",),
                "permissions": (
                    ("see_every_service", "Can see every service, its keys and events"),
                    ("act_for_every_service", "Can act for every service"),
                ),
            },
        ),
        migrations.AddField(
            model_name="apikey",
            name="disabled_at",
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name="apikey",
            name="disabled_reason",
            field=models.CharField(blank=True, db_default="", default="", editable=False, max_length=500),
        ),
        migrations.AddField(
            model_name="apikey",
            name="idempotency_digest",
            field=models.CharField(blank=True, db_default="", default="", editable=False, max_length=64),
        ),
        migrations.AddField(
            model_name="apikey",
            name="note",
            field=models.CharField(blank=True, db_default="", default="", max_length=500),
        ),
        migrations.AddField(
            model_name="service",
            name="default_days",
            field=models.PositiveIntegerField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name="service",
            name="default_rate_limit_per_hour",
            field=models.PositiveIntegerField(editable=False, null=True),
        ),
        migrations.AddField(
            model_name="service",
            name="default_scopes",
            field=models.JSONField(db_default=[], default=list, editable=False),
        ),
        migrations.AddField(
            model_name="service",
            name="issuers",
            field=models.ManyToManyField(editable=False, related_name="issues_for", to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddIndex(
            model_name="auditevent",
            index=models.Index(fields=["service_id", "-at"], name="apikeys_aud_service_28ed7f_idx"),
        ),
        migrations.AddIndex(
            model_name="auditevent",
            index=models.Index(fields=["action", "-at"], name="apikeys_aud_action_1af44d_idx"),
        ),
        migrations.AddIndex(
            model_name="auditevent",
            index=models.Index(fields=["actor", "-at"], name="apikeys_aud_actor_7e1aec_idx"),
        ),
        migrations.AddConstraint(
            model_name="apikey",
            constraint=models.UniqueConstraint(
                condition=models.Q(("idempotency_digest", ""), _negated=True),
                fields=("idempotency_digest",),
                name="key_issued_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="apikey",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("disabled_at__isnull", True), ("disabled_reason", "")),
                    models.Q(("disabled_at__isnull", False), models.Q(("disabled_reason", ""), _negated=True)),
                    _connector="OR",
                ),
                name="key_disabled_with_reason",
            ),
        ),
    ]
