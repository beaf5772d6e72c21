"""A key that names networks works from these alone, whatever a forwarded header says."""

import pytest

from apikeys import actions, addresses
from tests.mlflow_proxy.wire import CREATE, SEARCH

pytestmark = pytest.mark.django_db

TRUSTED_PROXY = "10.0.0.1"
LET_IN, KEPT_OUT = "SCOPE_MISSING", "ADDRESS_REFUSED"


@pytest.fixture
def reason(portal, bearer):
    """The word of a refused call: a reader who may come in is stopped by the next rule, the scope."""

    def ask(issued, peer, forwarded=""):
        headers = bearer(issued) | ({"X-Forwarded-For": forwarded} if forwarded else {})
        return portal.post(CREATE, headers=headers, REMOTE_ADDR=peer).json()["reason"]

    return ask


@pytest.mark.parametrize(
    ("network", "address"),
    [
        ("192.0.2.0/24", "192.0.2.255"),
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8::/32", "2001:db8:ffff::1"),
        ("2001:db8::7", "2001:db8::7"),
        ("192.0.2.0/24", "::ffff:192.0.2.1"),
        ("0.0.0.0/0", "203.0.113.9"),
    ],
)
def test_address_inside_passes(network, address):
    assert addresses.is_in(address, [addresses.parse_network(network)])


@pytest.mark.parametrize("network", ["::ffff:192.0.2.0/120", "::ffff:192.0.2.7", "fe80::1%eth0", "fe80::%1/64"])
def test_network_that_no_address_would_match_is_refused(network):
    with pytest.raises(ValueError, match="IPv6"):
        addresses.parse_network(network)


@pytest.mark.parametrize(
    ("network", "address"),
    [
        ("192.0.2.0/24", "192.0.3.0"),
        ("192.0.2.7/32", "192.0.2.8"),
        ("2001:db8::/32", "2001:db9::"),
        ("::/0", "192.0.2.1"),
        ("0.0.0.0/0", "2001:db8::1"),
        ("192.0.2.0/24", None),
        ("192.0.2.0/24", ""),
        ("192.0.2.0/24", "unknown"),
    ],
)
def test_address_outside_is_in_none(network, address):
    assert not addresses.is_in(address, [network])


def test_one_network_of_several_is_enough(reason, issue):
    key = issue(allowed_ips=["2001:db8::/32", "192.0.2.0/24"])
    assert reason(key, "192.0.2.1") == LET_IN
    assert reason(key, "2001:db8::1") == LET_IN
    assert reason(key, "203.0.113.9") == KEPT_OUT


def test_key_without_networks_works_from_anywhere(reason, reader):
    assert reason(reader, "203.0.113.9") == LET_IN


def test_right_most_hop_that_is_not_a_proxy_decides(reason, issue):
    key = issue(allowed_ips=["192.0.2.0/24"])
    assert reason(key, TRUSTED_PROXY, "203.0.113.9, 192.0.2.1") == LET_IN
    assert reason(key, TRUSTED_PROXY, "192.0.2.1, 203.0.113.9") == KEPT_OUT
    assert reason(key, TRUSTED_PROXY, "192.0.2.1, 203.0.113.9, 10.0.0.2") == KEPT_OUT


def test_forwarded_spoof_of_a_stranger_has_no_effect(reason, issue):
    key = issue(allowed_ips=["192.0.2.0/24"])
    assert reason(key, "203.0.113.9", "192.0.2.1") == KEPT_OUT


def test_forwarded_hop_that_is_no_address_is_the_proxy_itself(reason, issue):
    assert reason(issue(allowed_ips=["192.0.2.0/24"]), TRUSTED_PROXY, "192.0.2.1, unknown") == KEPT_OUT


def test_unix_socket_without_forwarded_address_is_refused(reason, issue):
    assert reason(issue(allowed_ips=["0.0.0.0/0"]), "") == KEPT_OUT


def test_refusal_tells_the_address_and_the_key(portal, bearer, issue):
    key = issue(allowed_ips=["192.0.2.0/24"])
    reply = portal.get(SEARCH, headers=bearer(key), REMOTE_ADDR="203.0.113.9")
    document = reply.json()
    assert (reply.status_code, document["error_code"], document["reason"]) == (
        403,
        "PERMISSION_DENIED",
        "ADDRESS_REFUSED",
    )
    assert (document["address"], document["api_key"]) == ("203.0.113.9", key.row.public_id)


def test_key_validation_refuses_an_address_too(client, bearer, issue):
    key = issue(allowed_ips=["192.0.2.0/24"])
    reply = client.post(
        "/api/v1/keys/validate", headers=bearer(key), content_type="application/json", REMOTE_ADDR="203.0.113.9"
    )
    assert (reply.status_code, reply.json()["reason"]) == (403, "ADDRESS_REFUSED")


def test_rotation_keeps_the_networks(issue, actor):
    key = issue(allowed_ips=["192.0.2.0/24"])
    assert actions.rotate_key(key=key.row, actor=actor).row.allowed_ips == ["192.0.2.0/24"]


def test_issue_network_is_stored_in_its_canonical_spelling(issue):
    assert issue(allowed_ips=[" 192.0.2.7 ", "2001:DB8:0::/32"]).row.allowed_ips == ["192.0.2.7/32", "2001:db8::/32"]


@pytest.mark.parametrize("text", ["", "x", "192.0.2.7/24", "192.0.2.0/33", "2001:db8::1/32", "192.0.2.0-192.0.2.9"])
def test_issue_text_that_is_no_network_is_refused(issue, text):
    with pytest.raises(actions.ActionRefusedError, match="no address or network"):
        issue(allowed_ips=[text])
