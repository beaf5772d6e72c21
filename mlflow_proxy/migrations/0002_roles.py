"""Let the groups of staff that see everything see the health of the store, too; docs/admin.md says what each may do."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

ROLES = ("viewer", "auditor", "administrator")


def let_roles_see_storage_health(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    content_type = apps.get_model("contenttypes", "ContentType")
    # Django makes both after the last migration only.
    kind, _ = content_type.objects.get_or_create(app_label="mlflow_proxy", model="storagecheck")
    permission, _ = apps.get_model("auth", "Permission").objects.get_or_create(
        content_type=kind, codename="view_storagecheck", defaults={"name": "Can view storage check"}
    )
    for group in apps.get_model("auth", "Group").objects.filter(name__in=ROLES):
        group.permissions.add(permission)


class Migration(migrations.Migration):
    dependencies = [("mlflow_proxy", "0001_storage_health"), ("apikeys", "0006_roles")]

    operations = [migrations.RunPython(let_roles_see_storage_health, migrations.RunPython.noop)]
