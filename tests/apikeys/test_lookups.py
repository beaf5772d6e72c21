"""The lookup of the hot path: the same row that the ORM gives, in one query, and nothing kept between calls."""

import datetime

import pytest
from django.db import connection
from django.utils import timezone

from apikeys import actions, lookups
from apikeys.models import ApiKey, Service

pytestmark = pytest.mark.django_db


def find(public_id):
    return lookups.Lookup(public_id).answer()


def facts(row, fields):
    return {name: getattr(row, name) for name in fields}


@pytest.fixture
def full(reader):
    """A key in whose row, and whose service's, no column that calls read is empty."""
    now = timezone.now()
    ApiKey.objects.filter(pk=reader.row.pk).update(
        allowed_ips=["192.0.2.0/24"],
        rate_limit_per_hour=77,
        revoked_at=now,
        revoked_reason="lost",
        disabled_at=now,
        disabled_reason="paused",
        predecessor=reader.row,
    )
    Service.objects.filter(pk=reader.row.service_id).update(
        owner="ann", workspaces=["a", "b"], presigned_urls=True, disabled_at=now, disabled_reason="paused"
    )
    return reader.row.public_id


def test_lookup_finds_what_the_orm_finds(full):
    found, expected = find(full), ApiKey.objects.with_validity().get(public_id=full)
    keys, services = facts(found, lookups.KEY_COLUMNS), facts(found.service, lookups.SERVICE_COLUMNS)
    assert keys == facts(expected, lookups.KEY_COLUMNS)
    assert services == facts(expected.service, lookups.SERVICE_COLUMNS)
    # It is its own predecessor here, and so its own successor.
    assert found.replaced_at == expected.replaced_at == expected.created_at
    assert [type(value) for value in keys.values()] == [type(getattr(expected, name)) for name in keys]


def test_lookup_leaves_no_column_empty_that_the_orm_fills(full):
    found = find(full)
    seen = facts(found, lookups.KEY_COLUMNS) | facts(found.service, lookups.SERVICE_COLUMNS)
    assert [name for name, value in seen.items() if value in (None, "", [])] == []


def test_lookup_leaves_columns_out_that_come_when_they_are_asked_for(reader, django_assert_num_queries):
    found = find(reader.row.public_id)
    assert "note" in found.get_deferred_fields()
    with django_assert_num_queries(1):
        assert found.name == "reader"


@pytest.mark.parametrize(("ends_in", "is_expired"), [(-1, True), (60, False)])
def test_lookup_tells_expiry_by_the_clock_of_the_database(reader, ends_in, is_expired):
    moment = timezone.now()
    begin, end = moment - datetime.timedelta(hours=1), moment + datetime.timedelta(seconds=ends_in)
    ApiKey.objects.filter(pk=reader.row.pk).update(created_at=begin, expires_at=end)
    assert bool(find(reader.row.public_id).is_expired) is is_expired


def test_lookup_tells_since_when_a_key_has_a_successor(reader, actor):
    assert find(reader.row.public_id).replaced_at is None
    successor = actions.rotate_key(key=reader.row, actor=actor)
    assert find(reader.row.public_id).replaced_at == successor.row.created_at
    assert find(successor.row.public_id).replaced_at is None


def test_lookup_of_an_id_that_nobody_has_is_none():
    assert find("hk_live_000000000000") is None


def test_lookup_is_one_query_with_its_service(reader, django_assert_num_queries):
    with django_assert_num_queries(1):
        assert find(reader.row.public_id).service.service_id == reader.row.service.service_id


def test_lookup_sees_a_revocation_at_once(reader, actor):
    assert not find(reader.row.public_id).is_revoked
    actions.revoke_key(key=reader.row, reason="lost", actor=actor)
    assert find(reader.row.public_id).is_revoked


def test_lookup_hands_the_id_over_as_a_parameter(reader):
    seen = []

    def note(run, sql, params, *rest):
        seen.append((sql, params))
        return run(sql, params, *rest)

    with connection.execute_wrapper(note):
        find("' OR ''='")
    ((sql, params),) = seen
    assert ("' OR" in sql, params) == (False, ["' OR ''='"])
