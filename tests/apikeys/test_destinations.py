"""Where a webhook may lead: public addresses over https, what is allowed by name, and nothing that reads two ways."""

import ipaddress
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apikeys import destinations
from apikeys.destinations import RefusedDestinationError, UnknownHostError, is_public, resolve

PUBLIC = ["93.184.216.34", "8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
INNER = [
    *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1"),
    *("255.255.255.255", "240.0.0.1", "192.0.2.1", "198.18.0.1", "168.63.129.16", "192.0.0.9", "192.88.99.1"),
    *("::1", "::", "fe80::1", "fe80::1%eth0", "fd00:ec2::254", "fec0::1", "ff02::1", "2001:db8::1", "3fff::1"),
    *("::ffff:127.0.0.1", "::ffff:169.254.169.254", "::10.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1"),
    *("2002:7f00:1::1", "2001:0:1::1", "5f00::1"),
]


@pytest.fixture
def names(monkeypatch):
    """What the name server says, by name; ``asked`` lists who was asked about."""
    known = {"hooks.example.org": ["93.184.216.34"]}
    asked = []

    def look_up(host, port, **facts):
        asked.append(host)
        if host not in known:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        families = {True: socket.AF_INET6, False: socket.AF_INET}
        return [(families[":" in text], socket.SOCK_STREAM, 6, "", (text, port)) for text in known[host]]

    monkeypatch.setattr(destinations.socket, "getaddrinfo", look_up)
    known["asked"] = asked
    return known


def test_destination_of_a_url_is_judged_once_and_pinned(names):
    found = resolve("https://hooks.example.org:8443/a/b?c=d", [])
    assert found == ("https", "hooks.example.org", 8443, "hooks.example.org:8443", "/a/b?c=d", "93.184.216.34")
    assert names["asked"] == ["hooks.example.org"]


@pytest.mark.parametrize(("url", "port"), [("https://hooks.example.org", 443), ("https://HOOKS.example.org./", 443)])
def test_destination_without_a_path_is_the_root(names, url, port):
    found = resolve(url, [])
    assert (found.host, found.port, found.target) == ("hooks.example.org", port, "/")


@pytest.mark.parametrize("text", PUBLIC)
def test_address_of_the_internet_is_public(text):
    assert is_public(text)


@pytest.mark.parametrize("text", INNER)
def test_address_of_the_inside_is_not_public(text):
    assert not is_public(text)


@pytest.mark.parametrize("text", INNER)
def test_name_of_an_inner_address_is_refused(names, text):
    names["inner.example.org"] = [text]
    with pytest.raises(RefusedDestinationError, match="HOKUSAI_WEBHOOK_NETWORKS"):
        resolve("https://inner.example.org/", [])


def test_name_with_an_inner_address_among_others_is_refused(names):
    names["both.example.org"] = ["93.184.216.34", "10.0.0.1"]
    with pytest.raises(RefusedDestinationError):
        resolve("https://both.example.org/", [])


def test_inner_address_in_an_allowed_network_is_taken(names):
    names["inner.example.org"] = ["10.0.0.9"]
    assert resolve("https://inner.example.org/", ["10.0.0.0/24"]).address == "10.0.0.9"
    with pytest.raises(RefusedDestinationError):
        resolve("https://inner.example.org/", ["10.0.1.0/24"])


def test_ipv4_inside_ipv6_is_allowed_as_what_it_is(names):
    names["inner.example.org"] = ["::ffff:10.0.0.9"]
    assert resolve("https://inner.example.org/", ["10.0.0.0/24"]).address == "::ffff:10.0.0.9"


def test_ipv4_comes_before_ipv6(names):
    names["both.example.org"] = ["2606:4700::1111", "93.184.216.34"]
    assert resolve("https://both.example.org/", []).address == "93.184.216.34"


def test_plain_http_is_for_allowed_networks_alone(names):
    names["inner.example.org"] = ["10.0.0.9"]
    assert resolve("http://inner.example.org/", ["10.0.0.0/8"]).port == 80
    with pytest.raises(RefusedDestinationError, match="https"):
        resolve("http://hooks.example.org/", ["10.0.0.0/8"])


def test_host_that_nobody_knows_has_no_address(names):
    with pytest.raises(UnknownHostError):
        resolve("https://nowhere.example.org/", [])


def test_host_with_a_trailing_dot_is_the_same_host(names):
    assert resolve("https://hooks.example.org./", []).host == "hooks.example.org"


@pytest.mark.parametrize(
    "host",
    [
        *("2130706433", "0x7f000001", "017700000001", "127.1", "0177.0.0.1", "0x7f.1", "8.8.8.8.9", "a.0x1"),
        *("[::1", "[v1.x]", "-", "ex%61mple.org", "*", "a" * 300),
    ],
)
def test_host_in_an_odd_spelling_is_refused_before_anybody_is_asked(names, host):
    with pytest.raises(RefusedDestinationError):
        resolve(f"https://{host}/", [])
    assert names["asked"] == []


@pytest.mark.parametrize(
    "url",
    [
        *("", "hooks.example.org", "//hooks.example.org/", "ftp://hooks.example.org/", "file:///etc/passwd"),
        *("https:///path", "https://hooks.example.org:0/", "https://hooks.example.org:99999/", "https://hooks:x/"),
        *("https://user@hooks.example.org/", "https://a:b@hooks.example.org/", "https://hooks.example.org/#f"),
        *("https://hooks.example.org/a b", "https://hooks.example.org/\n", "https://hooks.example.org\\@evil/"),
        *(
            "https://h\u00f6oks.example.org/",
            "https://hooks.example.org/\u00e9",
            "https://hooks.example.org/" + "a" * 2000,
        ),
    ],
)
def test_url_that_reads_two_ways_or_none_is_refused(names, url):
    with pytest.raises(RefusedDestinationError):
        resolve(url, ["10.0.0.0/8"])
    assert names["asked"] == []


def test_refusal_repeats_neither_path_nor_query(names):
    names["inner.example.org"] = ["10.0.0.1"]
    with pytest.raises(RefusedDestinationError) as refused:
        resolve("https://inner.example.org/T0/secret?token=hunter2", [])
    assert "secret" not in str(refused.value)
    assert "hunter2" not in str(refused.value)


@given(st.text(max_size=60) | st.from_regex(r"[0-9a-fx.:\[\]]{1,20}", fullmatch=True))
def test_any_host_is_refused_or_is_a_plain_name_or_address(text):
    asked = []

    def nobody(host, *args, **facts):
        asked.append(host)
        raise OSError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(destinations.socket, "getaddrinfo", nobody)
        with pytest.raises(RefusedDestinationError):
            resolve(f"https://{text}/", [])
    for host in asked:
        if destinations.OLD_SPELLING.fullmatch(host) or ":" in host:
            assert str(ipaddress.ip_address(host)) == host


def test_origin_is_a_url_without_what_may_be_a_credential():
    assert destinations.origin_of("https://hooks.example.org:8443/T0/B0?x=y") == "https://hooks.example.org:8443"
