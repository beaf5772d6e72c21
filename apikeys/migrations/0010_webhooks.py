"""Add webhooks and their deliveries, and let administrators alone see and change them."""

import uuid

import django.core.validators
import django.db.models.deletion
import django.db.models.functions.datetime
from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

# Model, and permission by code name and the name that Django itself would give it.
PERMISSIONS = {
    "view_webhook": ("webhook", "Can view webhook"),
    "add_webhook": ("webhook", "Can add webhook"),
    "change_webhook": ("webhook", "Can change webhook"),
    "view_delivery": ("delivery", "Can view delivery"),
}


def let_administrators(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    content_type = apps.get_model("contenttypes", "ContentType")
    group = apps.get_model("auth", "Group").objects.filter(name="administrator").first()
    for codename, (model, name) in PERMISSIONS.items():
        # Django makes both after the last migration only.
        kind, _ = content_type.objects.get_or_create(app_label="apikeys", model=model)
        permission, _ = apps.get_model("auth", "Permission").objects.get_or_create(
            content_type=kind, codename=codename, defaults={"name": name}
        )
        if group:
            group.permissions.add(permission)


class Migration(migrations.Migration):
    dependencies = [
        ("apikeys", "0009_key_networks"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [
        migrations.CreateModel(
            name="Webhook",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "webhook_id",
                    models.CharField(
                        max_length=63,
                        unique=True,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[a-z0-9-]{1,63}$", "Use 1 to 63 of a-z, 0-9 and hyphen."
                            )
                        ],
                    ),
                ),
                ("url", models.CharField(editable=False, max_length=2000)),
                ("types", models.JSONField(default=list, editable=False)),
                ("seed", models.CharField(editable=False, max_length=64)),
                ("old_seed", models.CharField(blank=True, editable=False, max_length=64)),
                ("old_seed_until", models.DateTimeField(editable=False, null=True)),
                ("cursor", models.BigIntegerField(default=0, editable=False)),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                ("created_by", models.CharField(editable=False, max_length=200)),
                ("disabled_at", models.DateTimeField(editable=False, null=True)),
                ("disabled_reason", models.CharField(blank=True, editable=False, max_length=500)),
            ],
            options={
                "ordering": ("webhook_id",),
                "default_permissions": ("view", "add", "change"),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("webhook_id__regex", "^[a-z0-9-]{1,63}$")), name="webhook_id_shape"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("disabled_at__isnull", True), ("disabled_reason", "")),
                            models.Q(("disabled_at__isnull", False), models.Q(("disabled_reason", ""), _negated=True)),
                            _connector="OR",
                        ),
                        name="webhook_disabled_with_reason",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Delivery",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("message_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("type", models.CharField(editable=False, max_length=40)),
                ("document", models.JSONField(editable=False)),
                ("event_number", models.BigIntegerField(editable=False, null=True)),
                ("status", models.CharField(default="pending", editable=False, max_length=10)),
                ("attempts", models.PositiveSmallIntegerField(default=0, editable=False)),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                ("tried_at", models.DateTimeField(editable=False, null=True)),
                (
                    "next_try_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False, null=True
                    ),
                ),
                ("answer_status", models.PositiveSmallIntegerField(editable=False, null=True)),
                ("fault", models.CharField(blank=True, editable=False, max_length=200)),
                (
                    "webhook",
                    models.ForeignKey(
                        editable=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="deliveries",
                        to="apikeys.webhook",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "deliveries",
                "ordering": ("-created_at", "-pk"),
                "default_permissions": ("view",),
                "indexes": [
                    models.Index(fields=["status", "next_try_at"], name="apikeys_del_status_02f7bb_idx"),
                    models.Index(fields=["-created_at"], name="apikeys_del_created_94ae57_idx"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("event_number__isnull", False)),
                        fields=("webhook", "event_number"),
                        name="delivery_of_an_event_once",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("next_try_at__isnull", False), ("status", "pending")),
                            models.Q(models.Q(("status", "pending"), _negated=True), ("next_try_at", None)),
                            _connector="OR",
                        ),
                        name="delivery_pending_has_next_try",
                    ),
                ],
            },
        ),
        migrations.RunPython(let_administrators, migrations.RunPython.noop),
    ]
