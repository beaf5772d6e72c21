"""Keep the doctor's newest walk, and let the group ``administrator`` begin one."""

from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models.functions import Now

ROLE = "administrator"


def let_role_start_walks(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    content_type = apps.get_model("contenttypes", "ContentType")
    # Django makes both after the last migration only.
    kind, _ = content_type.objects.get_or_create(app_label="mlflow_proxy", model="doctorwalk")
    permission, _ = apps.get_model("auth", "Permission").objects.get_or_create(
        content_type=kind, codename="start_doctorwalk", defaults={"name": "Can let the doctor walk"}
    )
    for group in apps.get_model("auth", "Group").objects.filter(name=ROLE):
        group.permissions.add(permission)


class Migration(migrations.Migration):
    dependencies = [("mlflow_proxy", "0002_roles")]

    operations = [
        migrations.CreateModel(
            name="DoctorWalk",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("started_at", models.DateTimeField(db_default=Now(), editable=False)),
                ("ended_at", models.DateTimeField(editable=False, null=True)),
                ("asked_by", models.CharField(editable=False, max_length=200)),
                ("portal", models.CharField(editable=False, max_length=300)),
                ("moved", models.CharField(blank=True, editable=False, max_length=40)),
                ("hops", models.JSONField(default=list, editable=False)),
            ],
            options={
                "ordering": ("-started_at", "-pk"),
                "permissions": (("start_doctorwalk", "Can let the doctor walk"),),
                "default_permissions": (),
            },
        ),
        migrations.RunPython(let_role_start_walks, migrations.RunPython.noop),
    ]
