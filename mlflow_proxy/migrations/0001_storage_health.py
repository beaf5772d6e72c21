"""Creates what storage health keeps: checks, changes of state, hours, what was told, and leases."""

import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="AlertChannel",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(editable=False, max_length=20, unique=True)),
                ("told", models.JSONField(default=list, editable=False)),
                ("told_at", models.DateTimeField(editable=False)),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="HealthHour",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("hour", models.DateTimeField(editable=False, unique=True)),
                (
                    "light",
                    models.CharField(
                        choices=[("green", "green"), ("amber", "amber"), ("red", "red")], editable=False, max_length=5
                    ),
                ),
            ],
            options={
                "ordering": ("-hour",),
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="Lease",
            fields=[
                ("name", models.CharField(editable=False, max_length=40, primary_key=True, serialize=False)),
                ("holder", models.CharField(blank=True, editable=False, max_length=200)),
                ("taken_at", models.DateTimeField(editable=False)),
                ("until", models.DateTimeField(editable=False)),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="StateChange",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(editable=False, max_length=40)),
                ("at", models.DateTimeField(editable=False)),
                ("status", models.CharField(editable=False, max_length=7)),
                ("reason", models.CharField(blank=True, editable=False, max_length=40)),
            ],
            options={
                "ordering": ("-at", "-pk"),
                "default_permissions": (),
                "indexes": [models.Index(fields=["name", "-at"], name="mlflow_prox_name_653f4b_idx")],
            },
        ),
        migrations.CreateModel(
            name="StorageCheck",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "started_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                ("ended_at", models.DateTimeField(editable=False, null=True)),
                ("asked_by", models.CharField(editable=False, max_length=200)),
                ("expected", models.PositiveSmallIntegerField(editable=False)),
                (
                    "light",
                    models.CharField(
                        blank=True,
                        choices=[("green", "green"), ("amber", "amber"), ("red", "red")],
                        editable=False,
                        max_length=5,
                    ),
                ),
                ("answers", models.JSONField(default=list, editable=False)),
            ],
            options={
                "verbose_name": "storage check",
                "verbose_name_plural": "storage health",
                "ordering": ("-started_at", "-pk"),
                "default_permissions": ("view",),
                "indexes": [models.Index(fields=["-started_at"], name="mlflow_prox_started_a3ecd1_idx")],
            },
        ),
    ]
