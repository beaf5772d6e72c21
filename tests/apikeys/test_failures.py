"""A flood of bad keys: after some failures it costs no query, and it never locks out who is known to be good."""

import pytest
import time_machine
from django.test import RequestFactory

from apikeys import actions, failures, keys
from apikeys.authentication import TooManyFailuresError, client_address, verify
from apikeys.credentials import CredentialRefusedError
from apikeys.failures import RATE_PER_ADDRESS, RATE_PER_ID
from tests.apikeys.conftest import forge
from tests.apikeys.counters import fresh_counters  # noqa: F401  (a fixture)
from tests.mlflow_proxy.wire import SEARCH

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fresh_counters")]

PER_ID, PER_ADDRESS = (int(rate.partition("/")[0]) for rate in (RATE_PER_ID, RATE_PER_ADDRESS))
HERE, ELSEWHERE = "192.0.2.7", "198.51.100.4"


def refuse(text, address=HERE, times=1):
    for _ in range(times):
        with pytest.raises(CredentialRefusedError):
            verify(text, address)


def flood(address=HERE, times=PER_ADDRESS):
    """Refuse keys of good checksum whose ids nobody issued."""
    for _ in range(times):
        refuse(keys.mint("live").text, address)


def test_bad_key_flood_of_an_address_costs_no_query_beyond_its_rate(django_assert_num_queries):
    flood()
    with django_assert_num_queries(0), pytest.raises(TooManyFailuresError):
        verify(keys.mint("live").text, HERE)


def test_bad_key_flood_one_query_a_key_until_the_rate_is_reached(django_assert_num_queries):
    with django_assert_num_queries(PER_ADDRESS):
        flood()


def test_bad_key_flood_on_one_id_costs_no_query_beyond_its_rate(reader, django_assert_num_queries):
    refuse(forge(reader.row.public_id).text, times=PER_ID)
    with django_assert_num_queries(0), pytest.raises(TooManyFailuresError):
        verify(forge(reader.row.public_id).text, HERE)


def test_bad_key_flood_bad_checksum_never_costs_a_query(django_assert_num_queries):
    with django_assert_num_queries(0):
        refuse(f"hk_live_{'a' * 52}", times=3 * PER_ADDRESS)


def test_bad_key_flood_bad_checksum_counts_as_no_failure(reader):
    refuse(f"hk_live_{'a' * 52}", times=3 * PER_ADDRESS)
    assert verify(reader.secret.text, HERE) == reader.row


def test_bad_key_flood_known_good_id_passes_from_the_same_address(reader):
    verify(reader.secret.text, HERE)
    flood()
    assert verify(reader.secret.text, HERE) == reader.row


def test_bad_key_flood_from_many_addresses_of_one_ipv6_network_is_one_flood(django_assert_num_queries):
    for number in range(PER_ADDRESS):
        refuse(keys.mint("live").text, f"2001:db8:1:2::{number:x}")
    with django_assert_num_queries(0), pytest.raises(TooManyFailuresError):
        verify(keys.mint("live").text, "2001:db8:1:2:ffff::1")
    refuse(keys.mint("live").text, "2001:db8:1:3::1")


def test_bad_key_flood_valid_key_passes_from_elsewhere(reader):
    flood()
    assert verify(reader.secret.text, ELSEWHERE) == reader.row


def test_bad_key_flood_unproven_key_waits_at_the_address_of_the_flood(reader):
    flood()
    with pytest.raises(TooManyFailuresError):
        verify(reader.secret.text, HERE)


def test_bad_key_flood_on_an_id_from_elsewhere_does_not_lock_out_its_holder(reader):
    verify(reader.secret.text, HERE)
    refuse(forge(reader.row.public_id).text, ELSEWHERE, times=PER_ID)
    assert verify(reader.secret.text, HERE) == reader.row


def test_bad_key_flood_ends_with_the_minute(reader):
    with time_machine.travel("2030-01-01T12:00:00Z", tick=False) as clock:
        flood()
        clock.shift(61)
        refuse(keys.mint("live").text)


def test_refusal_from_an_unknown_address_is_paced_by_id_alone(reader):
    flood(address=None)
    assert verify(reader.secret.text, None) == reader.row


def test_pace_refusal_says_nothing_of_the_key(reader):
    flood()
    details = set()
    for text in (reader.secret.text, keys.mint("live").text):
        with pytest.raises(TooManyFailuresError) as caught:
            verify(text, HERE)
        details.add((str(caught.value.detail), caught.value.facts.__repr__()))
    assert len(details) == 1


def test_good_key_is_never_counted(reader):
    for _ in range(2 * PER_ID):
        verify(reader.secret.text, HERE)
    assert not failures.is_paced(reader.row.public_id, HERE)


def test_revoked_key_that_was_good_is_paced(reader, actor):
    verify(reader.secret.text, HERE)
    actions.revoke_key(key=reader.row, reason="lost", actor=actor)
    refuse(reader.secret.text, times=PER_ID)
    with pytest.raises(TooManyFailuresError):
        verify(reader.secret.text, HERE)


def test_remembered_ids_are_bounded(monkeypatch):
    monkeypatch.setattr(failures, "MAXIMUM_REMEMBERED", 3)
    for name in "abcd":
        failures.remember_good(name)
    assert list(failures._good) == ["b", "c", "d"]


def test_remembered_id_is_not_forgotten_by_being_seen_again(monkeypatch):
    monkeypatch.setattr(failures, "MAXIMUM_REMEMBERED", 2)
    for name in "abab":
        failures.remember_good(name)
    assert set(failures._good) == {"a", "b"}


def test_bad_key_flood_over_http_is_429_with_retry_after(portal):
    bad = {"Authorization": f"Bearer {keys.mint('live').text}"}
    statuses = [portal.get(SEARCH, headers=bad).status_code for _ in range(PER_ID + 1)]
    reply = portal.get(SEARCH, headers=bad)
    assert set(statuses[:-1]) == {401}
    assert reply.status_code == statuses[-1] == 429
    assert 1 <= int(reply["Retry-After"]) <= 30
    assert reply.json()["reason"] == "TOO_MANY_FAILURES"
    assert reply.json()["error_code"] == "REQUEST_LIMIT_EXCEEDED"


def test_bad_key_flood_over_the_rest_api_is_429_with_retry_after(client):
    bad = {"Authorization": f"Bearer {keys.mint('live').text}"}
    for _ in range(PER_ID):
        assert client.post("/api/v1/keys/validate", headers=bad, content_type="application/json").status_code == 401
    reply = client.post("/api/v1/keys/validate", headers=bad, content_type="application/json")
    assert (reply.status_code, reply["Retry-After"]) == (429, "30")


def test_forged_forwarded_header_does_not_move_a_flood_elsewhere():
    request = RequestFactory().get("/", headers={"X-Forwarded-For": "203.0.113.9"}, REMOTE_ADDR=HERE)
    assert client_address(request) == HERE
