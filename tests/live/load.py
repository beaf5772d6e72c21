"""Calls at a steady pace, whatever becomes of them; keeps when each began and ended, and judges nothing."""

import http.client
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Self
from urllib.parse import urlsplit

CALLERS = 16
PATIENCE_SECONDS = 30
BROKEN = 0


class Request(NamedTuple):
    method: str
    path: str
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """A call by its number: when it began and ended, and its status, BROKEN where no reply came."""

    number: int
    began_at: float
    ended_at: float
    status: int
    server: str = ""

    @property
    def is_acknowledged(self) -> bool:
        return 200 <= self.status < 300


class Load:
    """Make ``rate`` calls a second by a few callers with a connection each, between entering and leaving."""

    def __init__(self, url: str, rate: float, make: Callable[[int], Request], headers: Mapping[str, str]) -> None:
        self.ended: list[Ended] = []
        self._netloc, self._rate, self._make, self._headers = urlsplit(url).netloc, rate, make, dict(headers)
        self._is_over = threading.Event()
        self._callers = [threading.Thread(target=self._call_on, args=(first,)) for first in range(CALLERS)]

    def __enter__(self) -> Self:
        self._began_at = time.monotonic()
        for caller in self._callers:
            caller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        for caller in self._callers:
            caller.join()

    def go_on(self, seconds: float) -> None:
        time.sleep(seconds)

    @property
    def acknowledged(self) -> set[int]:
        return {call.number for call in self.ended if call.is_acknowledged}

    @property
    def failed(self) -> list[Ended]:
        return [call for call in self.ended if not call.is_acknowledged]

    @property
    def statuses(self) -> dict[int, int]:
        return dict(sorted(Counter(call.status for call in self.ended).items()))

    @property
    def rate(self) -> float:
        """Calls a second that really were made."""
        return len(self.ended) / (max(call.ended_at for call in self.ended) - self._began_at)

    def _call_on(self, number: int) -> None:
        connection = http.client.HTTPConnection(self._netloc, timeout=PATIENCE_SECONDS)
        while not self._is_over.is_set():
            due_at = self._began_at + number / self._rate
            self._is_over.wait(max(0.0, due_at - time.monotonic()))
            if self._is_over.is_set():
                break
            self.ended.append(self._call(connection, number))
            number += CALLERS
        connection.close()

    def _call(self, connection: http.client.HTTPConnection, number: int) -> Ended:
        method, path, body = self._make(number)
        began_at, status, server = time.monotonic(), BROKEN, ""
        try:
            connection.request(method, path, body, self._headers)
            reply = connection.getresponse()
            reply.read()
            status, server = reply.status, reply.headers.get("X-Served-By", "")
        except (OSError, http.client.HTTPException):
            connection.close()
        return Ended(number, began_at, time.monotonic(), status, server)
