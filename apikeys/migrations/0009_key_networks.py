"""Keep the networks that each key was used from, so that a first use from another one is told."""

from django.db import migrations, models
from django.db.models.functions import Now


class Migration(migrations.Migration):
    dependencies = [("apikeys", "0008_ui_permissions")]

    operations = [
        migrations.CreateModel(
            name="KeyNetwork",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("network", models.CharField(editable=False, max_length=43)),
                ("first_seen_at", models.DateTimeField(db_default=Now(), editable=False)),
                ("noticed_at", models.DateTimeField(editable=False, null=True)),
                (
                    "key",
                    models.ForeignKey(
                        editable=False,
                        on_delete=models.deletion.PROTECT,
                        related_name="networks",
                        to="apikeys.apikey",
                    ),
                ),
            ],
            options={
                "ordering": ("pk",),
                "default_permissions": (),
                "constraints": [models.UniqueConstraint(fields=("key", "network"), name="key_network_once")],
            },
        ),
    ]
