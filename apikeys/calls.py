"""What a finished call was, in one value, and who is told of it; measures nothing and counts nothing itself."""

from collections.abc import Callable
from typing import NamedTuple

import structlog

log = structlog.get_logger(__name__)


class FinishedCall(NamedTuple):
    """A call whose response is closed, and ``traffic``, the kind that it was.

    ``service`` and ``key`` (its public id) are empty without a valid key, and for staff; ``reason`` is empty where
    nothing was refused or broke off. ``bytes_in`` and ``bytes_out`` are those of the bodies that passed, ``seconds``
    the time from the view's first line to the close. ``method`` and ``agent`` (the User-Agent) are the caller's own.
    """

    service: str
    key: str
    traffic: str
    method: str
    status: int
    reason: str
    bytes_in: int
    bytes_out: int
    seconds: float
    agent: str


# Filled by the composition (hokusai_portal.apps), because counters live in packages that this one may not know.
receivers: list[Callable[[FinishedCall], None]] = []


def tell(call: FinishedCall) -> None:
    """Hand a call to every receiver; what fails there is logged and stays there."""
    for receive in receivers:
        try:
            receive(call)
        except Exception:
            # Django drops whatever the close of a response raises: nobody would know.
            log.exception("call_not_counted")
