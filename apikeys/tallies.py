"""Counts finished calls in memory, by hour and kind, until somebody takes the rows away; knows no database."""

import datetime
import re
import threading
import time
from bisect import bisect_left
from collections import defaultdict
from functools import lru_cache
from typing import NamedTuple

from apikeys.calls import FinishedCall
from apikeys.redaction import redact_keys
from apikeys.rollups import COUNTERS, LATENCIES, OTHER_CLIENT

SECONDS_OF_HOUR, HOURS_OF_DAY = 3600, 24
# Callers choose their User-Agent: more than this of one key on one day are other clients.
MAXIMUM_CLIENTS = 20
_BOUNDS = tuple(LATENCIES.values())
_FIRST_LATENCY = COUNTERS.index(next(iter(LATENCIES)))
_REASON = re.compile(r"[A-Z_]{1,40}")
# The first product of a User-Agent (RFC 9110 §10.1.5), within the width of its columns.
_CLIENT = re.compile(r"([A-Za-z][0-9A-Za-z.-]{0,39})(?:/([0-9A-Za-z.+-]{1,20}))?(?:\s|$)")


class Kind(NamedTuple):
    """What calls have in common that are counted together; ``hour`` is counted from the epoch."""

    hour: int
    service: str
    key: str
    traffic: str
    status_class: int
    reason: str

    @property
    def begins_at(self) -> datetime.datetime:
        return datetime.datetime.fromtimestamp(self.hour * SECONDS_OF_HOUR, tz=datetime.UTC)


class Client(NamedTuple):
    """A program that used a key on a day, counted from the epoch."""

    day: int
    service: str
    key: str
    product: str
    version: str

    @property
    def date(self) -> datetime.date:
        return datetime.date(1970, 1, 1) + datetime.timedelta(days=self.day)


class Counts(NamedTuple):
    """What was counted since it was last taken: numbers in the order of COUNTERS by kind, and calls by client."""

    calls: dict[Kind, list[float]]
    clients: dict[Client, int]


class Tally:
    """The counters of a process; a call costs a few microseconds under a lock."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: dict[Kind, list[float]] = defaultdict(_zeros)
        self._clients: dict[Client, int] = defaultdict(int)
        self._seen_on, self._seen = 0, defaultdict[str, set[tuple[str, str]]](set)

    def add(self, call: FinishedCall) -> None:
        """Count a call into the hour in which it ended."""
        hour = int(time.time() // SECONDS_OF_HOUR)
        reason = call.reason if not call.reason or _REASON.fullmatch(call.reason) else "other"
        kind = Kind(hour, call.service, call.key, call.traffic, call.status // 100, reason)
        client = client_of(call.agent) if call.key else None
        with self._lock:
            numbers = self._calls[kind]
            numbers[0] += 1
            numbers[1] += call.bytes_in
            numbers[2] += call.bytes_out
            numbers[3] += call.seconds
            numbers[_FIRST_LATENCY + bisect_left(_BOUNDS, call.seconds)] += 1
            if client is not None:
                day = hour // HOURS_OF_DAY
                self._clients[Client(day, call.service, call.key, *self._bounded(day, call.key, client))] += 1

    def take(self) -> Counts:
        """Return what was counted, and begin anew."""
        with self._lock:
            counts = Counts(dict(self._calls), dict(self._clients))
            self._calls.clear()
            self._clients.clear()
        return counts

    def put_back(self, counts: Counts) -> None:
        """Take back what could not be written, beside what was counted meanwhile."""
        with self._lock:
            for kind, numbers in counts.calls.items():
                self._calls[kind] = [a + b for a, b in zip(self._calls[kind], numbers, strict=True)]
            for client, calls in counts.clients.items():
                self._clients[client] += calls

    def _bounded(self, day: int, key: str, client: tuple[str, str]) -> tuple[str, str]:
        if day != self._seen_on:
            self._seen_on = day
            self._seen.clear()
        seen = self._seen[key]
        if client not in seen:
            if len(seen) >= MAXIMUM_CLIENTS:
                return OTHER_CLIENT, ""
            seen.add(client)
        return client


@lru_cache(256)
def client_of(agent: str) -> tuple[str, str]:
    """Return product and version of a User-Agent, ``other`` for one that does not begin with a product."""
    found = _CLIENT.match(redact_keys(agent[:200]))
    return (found[1], found[2] or "") if found else (OTHER_CLIENT, "")


def _zeros() -> list[float]:
    return [0] * len(COUNTERS)
