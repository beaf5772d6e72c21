"""Create the four groups of staff with their permissions; docs/admin.md says what each may do."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

# Model, and permission by code name and the name that Django itself would give it.
PERMISSIONS = {
    "view_service": ("service", "Can view service"),
    "add_service": ("service", "Can add service"),
    "change_service": ("service", "Can change service"),
    "see_every_service": ("service", "Can see every service, its keys and events"),
    "act_for_every_service": ("service", "Can act for every service"),
    "view_apikey": ("apikey", "Can view API key"),
    "add_apikey": ("apikey", "Can add API key"),
    "change_apikey": ("apikey", "Can change API key"),
    "view_auditevent": ("auditevent", "Can view audit event"),
}
ROLES = {
    "viewer": ("view_service", "view_apikey", "see_every_service"),
    "key issuer": ("view_service", "view_apikey", "add_apikey", "change_apikey", "view_auditevent"),
    "auditor": ("view_service", "view_apikey", "view_auditevent", "see_every_service"),
    "administrator": tuple(PERMISSIONS),
}


def create_roles(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    group, permission = apps.get_model("auth", "Group"), apps.get_model("auth", "Permission")
    content_type = apps.get_model("contenttypes", "ContentType")
    made = {}
    for codename, (model, name) in PERMISSIONS.items():
        # Django makes them after the last migration only.
        kind, _ = content_type.objects.get_or_create(app_label="apikeys", model=model)
        made[codename], _ = permission.objects.get_or_create(
            content_type=kind, codename=codename, defaults={"name": name}
        )
    for role, codenames in ROLES.items():
        row, is_new = group.objects.get_or_create(name=role)
        if is_new:
            row.permissions.set([made[codename] for codename in codenames])


class Migration(migrations.Migration):
    dependencies = [
        ("apikeys", "0005_admin"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    # Going back keeps the groups: accounts may be members.
    operations = [migrations.RunPython(create_roles, migrations.RunPython.noop)]
