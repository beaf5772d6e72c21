"""Networks of keys: each is written once, by whatever worker, and only as many as tell something."""

import pytest
from django.db import DatabaseError

from apikeys import sightings, usage
from apikeys.models import ApiKey, KeyNetwork


def networks():
    return [row.network for row in KeyNetwork.objects.all()]


def use(issued, *addresses):
    for address in addresses:
        usage.record(issued.row.pk, address, "mlflow/3")
    usage.flush()


def test_network_of_a_use_is_written_by_the_flush(reader):
    use(reader, "192.0.2.9")
    assert networks() == ["192.0.2.0/24"]


def test_network_is_written_once_however_many_addresses_it_has(reader):
    use(reader, "192.0.2.9", "192.0.2.10")
    use(reader, "192.0.2.11")
    assert networks() == ["192.0.2.0/24"]


def test_every_network_between_two_flushes_is_written(reader):
    use(reader, "192.0.2.9", "2001:db8:1:2::9", "198.51.100.4")
    assert sorted(networks()) == ["192.0.2.0/24", "198.51.100.0/24", "2001:db8:1:2::/64"]


def test_network_of_another_key_is_written_for_itself(reader, writer):
    use(reader, "192.0.2.9")
    use(writer, "192.0.2.9")
    assert [(row.key_id, row.network) for row in KeyNetwork.objects.all()] == [
        (reader.row.pk, "192.0.2.0/24"),
        (writer.row.pk, "192.0.2.0/24"),
    ]


def test_known_networks_ask_the_database_nothing(reader, django_assert_num_queries):
    use(reader, "192.0.2.9")
    with django_assert_num_queries(0):
        sightings.write([(reader.row.pk, "192.0.2.77")])


def test_network_that_another_worker_wrote_is_left_as_it_is(reader):
    KeyNetwork.objects.create(key=reader.row, network="192.0.2.0/24")
    use(reader, "192.0.2.9", "198.51.100.4")
    assert networks() == ["192.0.2.0/24", "198.51.100.0/24"]


def test_caller_without_an_address_leaves_none(reader):
    use(reader, None)
    assert networks() == []


def test_key_that_moves_about_is_written_from_so_many_and_no_more(reader):
    use(reader, *(f"10.0.{number}.1" for number in range(15)))
    sightings._written.clear()
    use(reader, *(f"10.0.{number}.1" for number in range(40)))
    assert len(networks()) == sightings.MAXIMUM_NETWORKS


def test_key_that_is_gone_fails_nobody_else_s(reader):
    usage.record(4711, "192.0.2.9", "")
    use(reader, "192.0.2.9")
    assert [row.key_id for row in KeyNetwork.objects.all()] == [reader.row.pk]


def test_what_the_database_refuses_is_written_later(reader, monkeypatch):
    def fail(*args, **kwargs):
        raise DatabaseError

    with monkeypatch.context() as patch:
        patch.setattr(ApiKey.objects, "filter", fail)
        use(reader, "192.0.2.9")
    assert networks() == []
    usage.flush()
    assert networks() == ["192.0.2.0/24"]


def test_what_is_remembered_has_an_end(reader, monkeypatch):
    monkeypatch.setattr(sightings, "MAXIMUM_REMEMBERED", 1)
    use(reader, "192.0.2.9", "198.51.100.4")
    use(reader, "203.0.113.7")
    assert sightings._written == {(reader.row.pk, "203.0.113.0/24")}
    assert len(networks()) == 3


@pytest.mark.parametrize("address", ["192.0.2.9", "2001:db8::9"])
def test_record_writes_no_network_by_itself(reader, address, django_assert_num_queries):
    with django_assert_num_queries(0):
        usage.record(reader.row.pk, address, "")
