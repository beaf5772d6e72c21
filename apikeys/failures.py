"""Counts refused keys per id and address, in this process's memory; refuses nothing and asks no database.

A flood of keys with good checksums costs a query each: beyond these rates it costs none. An id that worked here
lately is not held back by what others at its address do. An IPv6 address counts as its network: whoever has one has
all of them.
"""

from apikeys import addresses, pacing

RATE_PER_ID = "20/minute"
RATE_PER_ADDRESS = "100/minute"
MAXIMUM_REMEMBERED = 10_000

_pace = pacing.Pace("")
_good: dict[str, None] = {}


def count(public_id: str, address: str | None) -> None:
    """Count one refusal."""
    # Per address too: a public id is no secret, and must not be enough to lock its holder out.
    caller = _caller(address)
    _pace.take(RATE_PER_ID, "id", public_id, caller)
    if caller:
        _pace.take(RATE_PER_ADDRESS, "address", caller)


def is_paced(public_id: str, address: str | None) -> bool:
    """Return whether this id, or this address for an id not known to be good, has failed too often."""
    caller = _caller(address)
    if _pace.is_exhausted(RATE_PER_ID, "id", public_id, caller):
        return True
    return bool(caller) and public_id not in _good and _pace.is_exhausted(RATE_PER_ADDRESS, "address", caller)


def remember_good(public_id: str) -> None:
    """Remember an id that was accepted; the oldest are forgotten."""
    if public_id not in _good and len(_good) >= MAXIMUM_REMEMBERED:
        _good.pop(next(iter(_good)), None)
    _good[public_id] = None


def _caller(address: str | None) -> str:
    return "" if address is None else addresses.caller_of(address)
