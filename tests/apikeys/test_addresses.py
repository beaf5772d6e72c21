"""Addresses: a forwarded hop is believed only when a trusted proxy wrote it."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apikeys.addresses import caller_of, client_address, network_of

PROXIES = ("10.0.0.0/8", "fd00::/8")
inside = st.ip_addresses(network="10.0.0.0/8").map(str)
outside = st.ip_addresses(network="203.0.113.0/24").map(str)
anything = st.one_of(st.ip_addresses().map(str), st.text())


@given(outside, st.text())
def test_client_address_peer_not_trusted_ignores_the_header(peer, header):
    assert client_address(peer, header, PROXIES) == peer


@given(inside, outside)
def test_client_address_behind_a_proxy_is_the_hop(peer, hop):
    assert client_address(peer, hop, PROXIES) == hop


@given(inside, outside, st.lists(anything))
def test_client_address_forged_hops_on_the_left_are_ignored(peer, hop, forged):
    assert client_address(peer, ", ".join([*forged, hop]), PROXIES) == hop


@given(inside, st.lists(inside, min_size=1), outside)
def test_client_address_chain_of_proxies_is_walked(peer, proxies, hop):
    assert client_address(peer, ",".join([hop, *proxies]), PROXIES) == hop


@given(inside)
def test_client_address_without_header_is_the_peer(peer):
    assert client_address(peer, "", PROXIES) == peer


def test_client_address_no_trusted_proxies_is_the_peer():
    assert client_address("127.0.0.1", "203.0.113.9", ()) == "127.0.0.1"


@pytest.mark.parametrize("hop", ["unknown", "", "203.0.113.9:4711", "_hidden", "203.0.113.999"])
def test_client_address_hop_that_is_no_address_ends_the_walk(hop):
    assert client_address("10.0.0.1", f"198.51.100.4, {hop}", PROXIES) == "10.0.0.1"


def test_client_address_mapped_ipv4_is_plain():
    assert client_address("::ffff:10.0.0.1", "::ffff:203.0.113.9", PROXIES) == "203.0.113.9"


def test_client_address_ipv6_proxy_is_believed():
    assert client_address("fd00::1", "2001:db8::5", PROXIES) == "2001:db8::5"


def test_client_address_unix_socket_is_none():
    assert client_address("", "203.0.113.9", PROXIES) is None


@pytest.mark.parametrize("peer", ["fe80::1%eth0", "fe80::1%" + "x" * 300])
def test_client_address_zone_of_an_interface_is_dropped(peer):
    # 39 characters is what an address column holds; a zone is any text of any length.
    assert client_address(peer, "", PROXIES) == "fe80::1"


@given(anything, st.lists(anything).map(",".join))
def test_client_address_any_input_is_an_address_or_none(peer, header):
    address = client_address(peer, header, PROXIES)
    assert address is None or str(ipaddress.ip_address(address)) == address


@pytest.mark.parametrize(
    ("address", "caller"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
    ],
)
def test_caller_is_an_ipv4_address_or_a_network_of_ipv6(address, caller):
    assert caller_of(address) == caller


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.9", "203.0.113.0/24"),
        ("::ffff:203.0.113.9", "203.0.113.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
    ],
)
def test_network_is_a_24_of_ipv4_or_a_64_of_ipv6(address, network):
    assert network_of(address) == network


def test_network_of_what_is_no_address_is_refused():
    with pytest.raises(ValueError, match="no address"):
        network_of("somewhere")
