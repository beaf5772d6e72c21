"""Add the rights of staff in MLflow's web interface: who sees every service may look, administrators may change."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

PERMISSIONS = {
    "view_mlflow_ui": "Can view MLflow's web interface",
    "edit_mlflow_ui": "Can change and delete in MLflow's web interface, and promote models",
}
ROLES = {
    "viewer": ("view_mlflow_ui",),
    "auditor": ("view_mlflow_ui",),
    "administrator": ("view_mlflow_ui", "edit_mlflow_ui"),
}


def let_roles_browse(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    # Django makes both after the last migration only.
    kind, _ = apps.get_model("contenttypes", "ContentType").objects.get_or_create(app_label="apikeys", model="service")
    permission = apps.get_model("auth", "Permission")
    made = {
        codename: permission.objects.get_or_create(content_type=kind, codename=codename, defaults={"name": name})[0]
        for codename, name in PERMISSIONS.items()
    }
    for group in apps.get_model("auth", "Group").objects.filter(name__in=ROLES):
        group.permissions.add(*(made[codename] for codename in ROLES[group.name]))


class Migration(migrations.Migration):
    dependencies = [("apikeys", "0007_append_only")]

    operations = [
        migrations.AlterModelOptions(
            name="service",
            options={
                "ordering": ("service_id",),
                "permissions": (
                    ("view_mlflow_ui", "Can view MLflow's web interface"),
                    ("edit_mlflow_ui", "Can change and delete in MLflow's web interface, and promote models"),
                    ("see_every_service", "Can see every service, its keys and events"),
                    ("act_for_every_service", "Can act for every service"),
                ),
            },
        ),
        # Going back keeps them: accounts may hold them.
        migrations.RunPython(let_roles_browse, migrations.RunPython.noop),
    ]
