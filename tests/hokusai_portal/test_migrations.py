"""Migrations for a database in use: none that blocks, the wait for a lock is short, that for the database bounded."""

import threading
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection, connections, migrations, models
from django.db.migrations.loader import MigrationLoader

from hokusai_portal.management.commands import migrate

APPS = ("apikeys", "mlflow_proxy")
# Made while no table had rows. Whoever adds to this list has read "Migrations" in CONTRIBUTING.md.
MADE_BEFORE = {
    "apikeys": {
        *("0001_initial", "0002_platform", "0003_presigned_urls", "0004_usage", "0005_admin", "0006_roles"),
        *("0007_append_only", "0008_key_networks", "0008_webhooks", "0008_ui_permissions"),
    },
    "mlflow_proxy": {"0001_storage_health", "0002_roles"},
}
# What old code does not survive, or what rewrites or locks a table that others use.
CONTRACTS = (migrations.RemoveField, migrations.RenameField, migrations.DeleteModel, migrations.RenameModel)
LOCKS = (migrations.AddIndex, migrations.AlterField, migrations.AddConstraint)
MODEL = {"name": "thing", "fields": [("id", models.BigAutoField(primary_key=True))]}


def complaints(operations):
    """Return what a migration must not do to tables that it has not made itself."""
    made, found = set(), []
    for operation in operations:
        name = getattr(operation, "model_name", getattr(operation, "name", "")).lower()
        if isinstance(operation, migrations.CreateModel):
            made.add(name)
        elif name not in made and (reason := fault(operation)):
            found.append(f"{type(operation).__name__} on {name} {reason}")
    return found


def fault(operation):
    if isinstance(operation, CONTRACTS):
        return "breaks the code that still runs"
    # AddIndexConcurrently and AddConstraintNotValid are kinds of these.
    if type(operation) in LOCKS:
        return "locks the table while it looks at every row"
    if isinstance(operation, migrations.AddField):
        field = operation.field
        is_free = field.null or field.has_db_default() or field.many_to_many
        return "" if is_free and not field.db_index else "needs null or db_default, and its index made concurrently"
    return ""


@pytest.mark.parametrize("app", APPS)
def test_migration_blocks_nobody(app):
    disk = MigrationLoader(None, ignore_no_migrations=True).disk_migrations
    newer = {name: migration for (label, name), migration in disk.items() if label == app}
    found = {name: complaints(newer[name].operations) for name in newer.keys() - MADE_BEFORE[app]}
    assert {name: told for name, told in found.items() if told} == {}


@pytest.mark.parametrize(
    "operation",
    [
        migrations.AddIndex("old", models.Index(fields=["at"], name="at")),
        migrations.RemoveField("old", "at"),
        migrations.AlterField("old", "at", models.DateTimeField()),
        migrations.AddField("old", "at", models.DateTimeField()),
        migrations.AddField("old", "at", models.DateTimeField(null=True, db_index=True)),
        migrations.DeleteModel("old"),
    ],
)
def test_operation_that_blocks_is_found(operation):
    assert complaints([migrations.CreateModel(**MODEL), operation]) != []


@pytest.mark.parametrize(
    "operation",
    [
        migrations.AddIndex("thing", models.Index(fields=["at"], name="at")),
        migrations.AddField("old", "at", models.DateTimeField(null=True)),
        migrations.AddField("old", "word", models.CharField(default="", db_default="")),
        migrations.RunPython(migrations.RunPython.noop),
    ],
)
def test_operation_that_blocks_nobody_passes(operation):
    assert complaints([migrations.CreateModel(**MODEL), operation]) == []


@pytest.fixture
def _quick(monkeypatch):
    monkeypatch.setattr(migrate, "PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(migrate, "DATABASE_PATIENCE_SECONDS", 0.0)


@pytest.fixture
def _as_on_postgresql(monkeypatch):
    """What the command decides by is the same on both; the setting of the lock is PostgreSQL's."""
    if connection.vendor != "postgresql":
        pytest.skip("`make test-postgres` runs this")


@pytest.mark.usefixtures("_quick", "_as_on_postgresql")
@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_migrate_gives_up_on_a_table_in_use_and_says_so(monkeypatch):
    locked, over = threading.Event(), threading.Event()

    def hold():
        with connection.cursor() as cursor:
            cursor.execute("BEGIN; LOCK TABLE apikeys_service IN ACCESS SHARE MODE")
            locked.set()
            over.wait(60)
        connections.close_all()

    def alter(self, *args, **options):
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE apikeys_service ADD COLUMN never integer")

    monkeypatch.setattr(migrate.migrate.Command, "handle", alter)
    monkeypatch.setattr(migrate, "LOCK_TIMEOUT", "50ms")
    holder = threading.Thread(target=hold)
    holder.start()
    locked.wait(30)
    told = StringIO()
    try:
        with pytest.raises(CommandError, match="A table was in use each time"):
            call_command("migrate", stderr=told)
    finally:
        over.set()
        holder.join()
    assert told.getvalue().count("once more") == migrate.ATTEMPTS - 1


@pytest.mark.usefixtures("_quick", "_as_on_postgresql", "db")
def test_migrate_says_that_the_database_does_not_answer(monkeypatch):
    def refuse():
        raise OperationalError("connection refused\nwith a second line")

    # Not beyond the call: the test's transaction is ended by the same connection.
    with monkeypatch.context() as patch:
        patch.setattr(connection, "ensure_connection", refuse)
        with pytest.raises(CommandError, match=r"no answer for 0 s: connection refused$"):
            call_command("migrate")


@pytest.mark.django_db
def test_migrate_with_nothing_to_do_ends_well():
    told = StringIO()
    call_command("migrate", stdout=told)
    assert "No migrations to apply" in told.getvalue()


def test_migrate_is_in_a_hurry_for_its_connections_from_its_checks_on(db, monkeypatch):
    pool, seen = {"timeout": 20.0, "reconnect_timeout": 20.0}, []
    monkeypatch.setitem(connections["default"].settings_dict["OPTIONS"], "pool", pool)
    monkeypatch.setattr(migrate.Command, "check", lambda *_, **__: seen.append(dict(pool)))
    call_command("migrate", "--plan", skip_checks=False, stdout=StringIO())
    assert seen == [{"timeout": 0.9, "reconnect_timeout": 3.0}]
