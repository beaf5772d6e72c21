"""Models: the database itself refuses rows that no action would write, and its clock decides what is expired."""

import datetime

import pytest
import time_machine
from django.apps import apps
from django.core.management import call_command
from django.db import IntegrityError, connection, models
from django.db.models import ProtectedError
from django.utils import timezone

from apikeys.migrations import __name__ as migrations
from apikeys.models import DEFAULT_SERVICE, ApiKey, AuditEvent, Service, database_now

SECOND = datetime.timedelta(seconds=1)


def test_migrations_say_all_that_the_models_say(db):
    call_command("makemigrations", check_changes=True, dry_run=True, verbosity=0)


def test_default_service_exists_after_migration(platform):
    assert platform.service_id == DEFAULT_SERVICE
    assert not platform.is_disabled


def test_default_service_creation_is_in_the_audit_trail(db):
    event = AuditEvent.objects.get(action="service_created")
    assert (event.actor, event.service_id, event.object_id) == ("migration", DEFAULT_SERVICE, DEFAULT_SERVICE)


def test_default_service_migration_twice_adds_nothing(platform):
    module = __import__(f"{migrations}.0002_platform", fromlist=["create_default_service"])
    module.create_default_service(apps, None)
    assert Service.objects.count() == AuditEvent.objects.count() == 1


@pytest.mark.parametrize("service_id", ["", "Batch", "a b", "a/b", "ä", "a_b"])
def test_service_id_of_another_shape_is_refused_by_the_database(db, service_id):
    with pytest.raises(IntegrityError, match="service_id_shape"):
        Service.objects.create(service_id=service_id)


def test_service_id_twice_is_refused_by_the_database(platform):
    with pytest.raises(IntegrityError):
        Service.objects.create(service_id=DEFAULT_SERVICE)


@pytest.mark.parametrize("columns", [{"disabled_at": timezone.now()}, {"disabled_reason": "why"}], ids=str)
def test_service_half_disabled_is_refused_by_the_database(platform, columns):
    with pytest.raises(IntegrityError, match="service_disabled_with_reason"):
        Service.objects.update(**columns)


@pytest.mark.parametrize(
    ("constraint", "columns"),
    [
        ("key_public_id_shape", {"public_id": "hk_live_short"}),
        ("key_public_id_shape", {"public_id": "hk_prod_" + "a" * 12}),
        ("key_digest_shape", {"digest": ""}),
        ("key_digest_shape", {"digest": "A" * 64}),
        ("key_name_given", {"name": ""}),
        ("key_ends_after_start", {"expires_at": datetime.datetime(2001, 1, 1, tzinfo=datetime.UTC)}),
        ("key_revoked_with_reason", {"revoked_reason": "why"}),
        ("key_revoked_with_reason", {"revoked_at": datetime.datetime(2031, 1, 1, tzinfo=datetime.UTC)}),
    ],
)
def test_key_row_against_a_rule_is_refused_by_the_database(reader, change, constraint, columns):
    with pytest.raises(IntegrityError, match=constraint):
        change(reader, **columns)


def test_key_public_id_twice_is_refused_by_the_database(reader, writer, change):
    with pytest.raises(IntegrityError):
        change(writer, public_id=reader.row.public_id)


def test_key_second_successor_is_refused_by_the_database(reader, writer, stranger, change):
    change(writer, predecessor=reader.row)
    with pytest.raises(IntegrityError):
        change(stranger, predecessor=reader.row)


def test_key_lookup_uses_an_index(reader):
    field = ApiKey._meta.get_field("public_id")
    assert field.unique
    assert isinstance(field, models.CharField)


def test_service_with_keys_cannot_be_deleted(reader, platform):
    with pytest.raises(ProtectedError):
        platform.delete()


def test_key_row_holds_nothing_of_the_secret(reader):
    row = " ".join(str(value) for value in ApiKey.objects.values_list().get())
    assert reader.secret.text[20:] not in row
    assert reader.secret.text[20:54] not in row


def test_key_in_text_is_its_public_id(reader):
    assert str(reader.row) == reader.secret.public_id


def test_audit_event_change_is_refused(platform):
    event = AuditEvent.objects.get()
    with pytest.raises(TypeError, match="never changed"):
        event.save()


def test_audit_event_deletion_is_refused(platform):
    with pytest.raises(TypeError, match="never deleted"):
        AuditEvent.objects.get().delete()


@pytest.mark.parametrize("shift", [-300, 300])
def test_database_now_app_clock_shifted_makes_no_difference(db, shift):
    before = database_now()
    with time_machine.travel(before + shift * SECOND):
        assert before <= database_now() < before + 200 * SECOND


def test_database_now_is_aware(db):
    assert database_now().utcoffset() == datetime.timedelta()


@pytest.mark.parametrize("shift", [-300, 0, 300])
@pytest.mark.parametrize(("seconds", "is_expired"), [(-1, True), (0, True), (200, False)])
def test_expiry_and_rotation_clock_app_clock_makes_no_difference(reader, ends_in, shift, seconds, is_expired):
    ends_in(reader, seconds)
    wait_for_the_next_millisecond()
    with time_machine.travel(timezone.now() + shift * SECOND):
        assert ApiKey.objects.with_validity().get().is_expired is is_expired
        assert ApiKey.objects.usable().exists() is not is_expired


def wait_for_the_next_millisecond():
    """SQLite's clock has milliseconds: what ends now is over with the next."""
    start = database_now()
    while database_now() == start:
        pass


def test_usable_leaves_out_revoked_expired_and_disabled(refused, reader):
    refused["KEY_SECRET_WRONG"].row.delete()
    assert list(ApiKey.objects.usable()) == [reader.row]


def test_with_validity_service_comes_with_the_same_query(reader, django_assert_num_queries):
    with django_assert_num_queries(1):
        assert not ApiKey.objects.with_validity().get().service.is_disabled


def test_key_lookup_plan_scans_no_table(reader):
    if connection.vendor != "sqlite":
        pytest.skip("the wording of this plan is SQLite's")
    plan = ApiKey.objects.with_validity().filter(public_id=reader.row.public_id).explain()
    assert "SCAN" not in plan
