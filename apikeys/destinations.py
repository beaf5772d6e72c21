"""Where a webhook may lead: judges a URL and the addresses of its host, once, and hands on one to connect to.

What it hands on is what is connected to: nothing looks the name up again, so it cannot mean another machine by then.
Opens no connection.
"""

import ipaddress
import re
import socket
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from apikeys import addresses

ANYWHERE = ("0.0.0.0/0", "::/0")
MAXIMUM_LENGTH = 2000
PORTS = {"https": 443, "http": 80}
# Spaces, controls and backslashes are read differently by every parser; names of other scripts have an ASCII form.
PLAIN = re.compile(r"[!-\[\]-~]+")
HOST = re.compile(r"[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9_])?")
# What looks like an address in one of its old spellings, where 127.1 and 2130706433 are this machine.
OLD_SPELLING = re.compile(r"(.*\.)?(0x[0-9a-f]*|[0-9]+)")
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
PUBLIC_IPV6 = ipaddress.IPv6Network("2000::/3")
# Global by the register, and yet of the inside: what a cloud answers its own machines, protocols, documentation.
INSIDE = ("168.63.129.16/32", "192.0.0.0/24", "192.88.99.0/24", "3fff::/20")


class RefusedDestinationError(Exception):
    """A webhook may not lead there; the message is for staff and repeats neither path nor query."""


class UnknownHostError(RefusedDestinationError):
    """The host has no address at present."""


class Destination(NamedTuple):
    """A judged URL: ``address`` is what to connect to, ``netloc`` the Host, ``host`` what a certificate must name."""

    scheme: str
    host: str
    port: int
    netloc: str
    target: str
    address: str


def origin_of(url: str) -> str:
    """Return scheme and host, which may be shown and logged: path and query are often a credential."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def resolve(url: str, allowed: Sequence[str]) -> Destination:
    """Return where a URL leads; raises RefusedDestinationError, or UnknownHostError.

    A private, link-local or otherwise inner address is refused unless it lies in one of the ``allowed`` networks, and
    so is plain http. A host with several addresses is judged by all of them; the first is used, IPv4 before IPv6.
    """
    scheme, host, port, netloc, target = _parse(url)
    found = _addresses_of(host, port)
    inner = [address for address in found if not addresses.is_in(address, allowed)]
    for address in inner:
        if not is_public(address):
            told = address if host == address else f"{host} is {address}, which"
            raise RefusedDestinationError(f"{told} is not a public address. HOKUSAI_WEBHOOK_NETWORKS can allow it.")
    if scheme == "http" and inner:
        raise RefusedDestinationError("use https: plain http is for networks in HOKUSAI_WEBHOOK_NETWORKS alone")
    return Destination(scheme, host, port, netloc, target, found[0])


def is_public(text: str) -> bool:
    """Return whether an address is one of the internet; IPv4 inside IPv6 is judged as what it is."""
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address):
        if inside := address.ipv4_mapped:
            return is_public(str(inside))
        if address in NAT64:
            return is_public(str(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)))
        if address not in PUBLIC_IPV6 or address.sixtofour or address.teredo:
            return False
    return address.is_global and not address.is_multicast and not addresses.is_in(text, INSIDE)


def _parse(url: str) -> tuple[str, str, int, str, str]:
    if len(url) > MAXIMUM_LENGTH or PLAIN.fullmatch(url) is None:
        raise RefusedDestinationError(
            f"a URL is at most {MAXIMUM_LENGTH} plain characters without spaces; write other scripts as xn--… and %…"
        )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise RefusedDestinationError("this is no URL") from None
    host = (parts.hostname or "").rstrip(".")
    # What stands in brackets is an address of IPv6, or from a future that nobody has seen.
    is_future = "[" in parts.netloc and ":" not in host
    if parts.scheme not in PORTS or not host or port == 0 or is_future:
        raise RefusedDestinationError("a URL looks like https://host/path")
    if "@" in parts.netloc:
        raise RefusedDestinationError("leave user and password out of the URL: they would end in logs")
    if parts.fragment:
        raise RefusedDestinationError("leave out what follows #: it is never sent")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return parts.scheme, _host(host), port or PORTS[parts.scheme], parts.netloc, target


def _host(host: str) -> str:
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        pass
    if OLD_SPELLING.fullmatch(host) or HOST.fullmatch(host) is None:
        raise RefusedDestinationError("the host is neither a name nor an address like 192.0.2.1 or [2001:db8::1]")
    return host


def _addresses_of(host: str, port: int) -> list[str]:
    """Return the addresses of a host, IPv4 first; raises UnknownHostError."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    except (OSError, UnicodeError):
        raise UnknownHostError(f"{host} has no address at present") from None
    by_family = sorted(found, key=lambda item: item[0] != socket.AF_INET)
    return [str(item[4][0]) for item in by_family]
