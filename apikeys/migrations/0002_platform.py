"""The default service exists from the first migration on, so that a key can be issued at once."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from apikeys.models import DEFAULT_SERVICE


def create_default_service(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    service = apps.get_model("apikeys", "Service")
    audit_event = apps.get_model("apikeys", "AuditEvent")
    _, is_new = service.objects.get_or_create(
        service_id=DEFAULT_SERVICE, defaults={"description": "The default service of this portal."}
    )
    if is_new:
        audit_event.objects.create(
            action="service_created", actor="migration", service_id=DEFAULT_SERVICE, object_id=DEFAULT_SERVICE
        )


class Migration(migrations.Migration):
    dependencies = [("apikeys", "0001_initial")]

    # Going back keeps the row: keys may hang on it.
    operations = [migrations.RunPython(create_default_service, migrations.RunPython.noop)]
