"""Counts of calls within a window, shared by all workers through Redis when there is one; refuses nothing itself.

Redis is soft: a call waits a tenth of a second at most, and while it is down each process counts for itself. Rights
never depend on it.
"""

import threading
import time
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Protocol, cast

import structlog
from limits import RateLimitItem
from limits import parse as parse_anew
from limits.errors import StorageError
from limits.storage import Storage, storage_from_string
from redis.backoff import NoBackoff
from redis.retry import Retry

log = structlog.get_logger(__name__)

REDIS_SECONDS = 0.1
REDIS_REST_SECONDS = 5.0
FORGET_FROM = 10_000
# The library reads the words of a rate each time, and a call asks for three of the few that there are.
parse = lru_cache(maxsize=1024)(parse_anew)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a window holds after a call; ``reset_seconds`` until it begins anew."""

    is_within: bool
    limit: int
    remaining: int
    reset_seconds: int
    window_seconds: int


class Counts(Protocol):
    """Where counts are kept: the library's storages are such."""

    def incr(self, key: str, expiry: int) -> int: ...
    def get_expiry(self, key: str) -> float: ...


class Memory:
    """Counts of this process. The library's own starts a thread at each call, to forget the windows that ended."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._windows: dict[str, tuple[int, float]] = {}
        self._forget_at = FORGET_FROM

    def incr(self, key: str, expiry: int) -> int:
        with self._lock:
            count, ends_at = self._window(key)
            count += 1
            self._windows[key] = count, ends_at or time.time() + expiry
            if len(self._windows) >= self._forget_at:
                self._windows = {key: window for key, window in self._windows.items() if window[1] > time.time()}
                # Twice what is alive: looking through all of them stays rare however many there are.
                self._forget_at = max(FORGET_FROM, 2 * len(self._windows))
            return count

    def get(self, key: str) -> int:
        return self._window(key)[0]

    def get_expiry(self, key: str) -> float:
        return self._window(key)[1] or time.time()

    def _window(self, key: str) -> tuple[int, float]:
        """Return count and end of a window; zeros for none, or one that has ended."""
        count, ends_at = self._windows.get(key, (0, 0.0))
        return (count, ends_at) if ends_at > time.time() else (0, 0.0)


class Pace:
    """One counter of calls, in Redis while it answers, else in this process."""

    def __init__(self, redis_url: str) -> None:
        self._here = Memory()
        self._shared = _redis(redis_url) if redis_url else None
        self._rests_until = 0.0

    def take(self, rate: str, *names: str) -> Verdict:
        """Count one call against a rate like ``1000/hour`` and return what is left."""
        item = parse(rate)
        if self._shared is not None and time.monotonic() >= self._rests_until:
            try:
                return _take(self._shared, item, names)
            except StorageError as error:
                self._rests_until = time.monotonic() + REDIS_REST_SECONDS
                log.warning("redis_unavailable", error=type(error.storage_error).__name__, rests=REDIS_REST_SECONDS)
        return _take(self._here, item, names)

    def is_exhausted(self, rate: str, *names: str) -> bool:
        """Return whether this process has counted a rate full, without counting."""
        item = parse(rate)
        return self._here.get(item.key_for(*names)) >= item.amount


@cache
def shared(redis_url: str) -> Pace:
    """Return this process's counter for a Redis URL; an empty one counts per process."""
    return Pace(redis_url)


def _redis(url: str) -> Storage:
    # One try within its time: two 2 s time-outs on each request were an outage once.
    storage = storage_from_string(
        url,
        wrap_exceptions=True,
        socket_timeout=REDIS_SECONDS,
        socket_connect_timeout=REDIS_SECONDS,
        retry=Retry(NoBackoff(), 0),  # type: ignore[arg-type]
    )
    return cast("Storage", storage)


def _take(counts: Counts, item: RateLimitItem, names: tuple[str, ...]) -> Verdict:
    # The library's fixed window, whose strategy composes the name three times and asks for the count once more.
    key, window = item.key_for(*names), item.get_expiry()
    count = counts.incr(key, window)
    seconds = max(1, round(counts.get_expiry(key) - time.time()))
    return Verdict(count <= item.amount, item.amount, max(0, item.amount - count), seconds, window)
