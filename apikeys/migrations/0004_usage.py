"""Add the tables of usage: calls per hour and day, and the clients seen."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("apikeys", "0003_presigned_urls"),
    ]

    operations = [
        migrations.CreateModel(
            name="ClientVersion",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("day", models.DateField()),
                ("service_id", models.CharField(max_length=63)),
                ("key_id", models.CharField(max_length=24)),
                ("product", models.CharField(max_length=40)),
                ("version", models.CharField(blank=True, max_length=20)),
                ("calls", models.BigIntegerField()),
            ],
            options={
                "default_permissions": (),
                "constraints": [
                    models.UniqueConstraint(
                        fields=("day", "service_id", "key_id", "product", "version"), name="client_version_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Usage",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("begins_at", models.DateTimeField()),
                ("span", models.CharField(choices=[("hour", "Hour"), ("day", "Day")], max_length=4)),
                ("service_id", models.CharField(blank=True, max_length=63)),
                ("key_id", models.CharField(blank=True, max_length=24)),
                ("traffic", models.CharField(max_length=16)),
                ("status_class", models.PositiveSmallIntegerField()),
                ("reason", models.CharField(blank=True, max_length=40)),
                ("calls", models.BigIntegerField()),
                ("bytes_in", models.BigIntegerField()),
                ("bytes_out", models.BigIntegerField()),
                ("seconds", models.FloatField()),
                ("up_to_25_ms", models.BigIntegerField()),
                ("up_to_50_ms", models.BigIntegerField()),
                ("up_to_100_ms", models.BigIntegerField()),
                ("up_to_250_ms", models.BigIntegerField()),
                ("up_to_500_ms", models.BigIntegerField()),
                ("up_to_1_s", models.BigIntegerField()),
                ("up_to_5_s", models.BigIntegerField()),
                ("up_to_30_s", models.BigIntegerField()),
                ("up_to_5_min", models.BigIntegerField()),
                ("over_5_min", models.BigIntegerField()),
            ],
            options={
                "default_permissions": (),
                "verbose_name_plural": "usage",
                "indexes": [models.Index(fields=["key_id", "begins_at"], name="apikeys_usa_key_id_5340fa_idx")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("begins_at", "span", "service_id", "key_id", "traffic", "status_class", "reason"),
                        name="usage_kind_once",
                    )
                ],
            },
        ),
    ]
