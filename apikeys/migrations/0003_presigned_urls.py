"""Add Service.presigned_urls, off for every service there is."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("apikeys", "0002_platform")]

    operations = [
        migrations.AddField(
            model_name="service",
            name="presigned_urls",
            # The database's own default too: the release before this one goes on writing rows meanwhile.
            field=models.BooleanField(default=False, db_default=False, editable=False),
        )
    ]
