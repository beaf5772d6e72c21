"""Add the rights of staff in MLflow's web interface; nobody but superusers holds them until they are given."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("apikeys", "0003_presigned_urls")]

    operations = [
        migrations.AlterModelOptions(
            name="service",
            options={
                "ordering": ("service_id",),
                "permissions": (
                    ("view_mlflow_ui", "Can view MLflow's web interface"),
                    ("edit_mlflow_ui", "Can change and delete in MLflow's web interface, and promote models"),
                ),
            },
        )
    ]
