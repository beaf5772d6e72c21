"""Which address a request really comes from; pure: believes a forwarded header only from a trusted proxy."""

import ipaddress
from collections.abc import Iterable, Sequence
from functools import lru_cache

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@lru_cache(maxsize=512)
def _networks(texts: tuple[str, ...]) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(text, strict=False) for text in texts)


@lru_cache(maxsize=512)
def _parse(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        # The zone of a link-local address is text of any kind and length (RFC 4007 §11).
        address = ipaddress.ip_address(text.strip().partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def parse_network(text: str) -> str:
    """Return a network or address in its canonical spelling.

    Raises ValueError, also for one with host bits set, for a zone, and for IPv4 written inside IPv6: addresses are
    compared without either, so a key for such a network would work from nowhere.
    """
    network = ipaddress.ip_network(text.strip())
    if isinstance(network, ipaddress.IPv6Network):
        first = network.network_address
        if first.scope_id or first.ipv4_mapped:
            raise ValueError("an IPv6 network with a zone, or one of IPv4 addresses")
    return str(network)


def is_in(address: str | None, networks: Sequence[str]) -> bool:
    """Return whether an address lies in one of the networks; an unknown address lies in none."""
    parsed = _parse(address or "")
    return parsed is not None and any(parsed in network for network in _networks(tuple(networks)))


def are_within(texts: Iterable[str], bounds: Sequence[str]) -> bool:
    """Return whether there are networks, and each lies in one of the bounds; all of them in canonical spelling."""
    inner, outer = _networks(tuple(texts)), _networks(tuple(bounds))
    return bool(inner) and all(any(_is_subnet(one, bound) for bound in outer) for one in inner)


def _is_subnet(one: Network, bound: Network) -> bool:
    return one.version == bound.version and one.subnet_of(bound)  # type: ignore[arg-type]  # of the same version


def caller_of(address: str) -> str:
    """Return what stands for one caller: an IPv4 address, or the /64 in which an IPv6 host picks its own (RFC 7421)."""
    parsed = _parse(address)
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return address


def network_of(address: str) -> str:
    """Return the network that an address belongs to for whoever watches: the /24 of IPv4, the /64 of IPv6.

    Raises ValueError for what is no address.
    """
    parsed = _parse(address)
    if parsed is None:
        raise ValueError(f"{address!r} is no address")
    return str(ipaddress.ip_network((parsed, 24 if parsed.version == 4 else 64), strict=False))


@lru_cache(maxsize=512)
def client_address(peer: str, forwarded_for: str, trusted_proxies: tuple[str, ...]) -> str | None:
    """Return the right-most hop that is not a trusted proxy, or None when the peer is no IP address (a unix socket).

    ``forwarded_for`` is the X-Forwarded-For field as received. A hop that is no address ends the walk: what stands
    to its left was written by somebody nobody vouches for.
    """
    networks = _networks(trusted_proxies)
    believed = _parse(peer)
    for hop in reversed(forwarded_for.split(",") if forwarded_for else []):
        if believed is None or not any(believed in network for network in networks):
            break
        candidate = _parse(hop)
        if candidate is None:
            break
        believed = candidate
    return str(believed) if believed else None
