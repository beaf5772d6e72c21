"""How long the code that runs now waits for an answer of the database; waits for nothing itself.

A database that takes a query and never answers would hold the thread for ever. PostgreSQL's own timeouts end with it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

# What a call of the API may wait for, and any other request of a web process.
CALL_SECONDS, REQUEST_SECONDS = 0.9, 30.0

_default: float | None = None
_seconds: ContextVar[float | None] = ContextVar("patience", default=None)


def seconds() -> float | None:
    """Return the seconds for each query, None for as long as it takes: a migration, a job."""
    return _seconds.get() or _default


@contextmanager
def within(limit: float) -> Iterator[None]:
    """Bound each query of the block."""
    token = _seconds.set(limit)
    try:
        yield
    finally:
        _seconds.reset(token)


def set_default(limit: float) -> None:
    """Bound each query of this process that nothing else bounds."""
    global _default  # noqa: PLW0603
    _default = limit
