"""The head of a response, whole and bounded; http.client takes one that breaks off for whole. Opens no socket."""

import http.client
import io
import time
from typing import Any

MAXIMUM_INTERIM_REPLIES = 8


class BoundedHead(http.client.HTTPResponse):
    """A response whose head ends: with an empty line, after few interim ones, and within the socket's timeout."""

    _heads = 0

    def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
        self._clock = _Clock(sock)
        super().__init__(self._clock, *args, **kwargs)  # type: ignore[arg-type]

    def begin(self) -> None:
        if self.headers is not None:
            return
        stream, lines = self.fp, _Lines(self.fp)
        self.fp = lines
        self._clock.start()
        try:
            super().begin()
        finally:
            self._clock.stop()
            # None where it was closed because of what it said.
            self.fp = stream if self.fp is lines else self.fp
        if not lines.has_ended:
            # Cut values would pass for whole ones: half a length, half an entity tag.
            raise http.client.HTTPException("the head broke off")

    def _read_status(self) -> tuple[str, int, str]:
        self._heads += 1
        if self._heads > MAXIMUM_INTERIM_REPLIES:
            # http.client would read ``100 Continue`` for ever.
            raise http.client.HTTPException("too many interim responses")
        return super()._read_status()  # type: ignore[misc,no-any-return]


class _Lines:
    """The lines of a stream, of which the last one tells whether a head has ended."""

    has_ended = False

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def readline(self, limit: int) -> bytes:
        line: bytes = self._stream.readline(limit)
        self.has_ended = line in {b"\r\n", b"\n"}
        return line

    def close(self) -> None:
        self._stream.close()


class _Clock(io.RawIOBase):
    """Stands between a response and its socket: a timeout counts for each read, and here for all until ``stop``."""

    def __init__(self, sock: Any) -> None:
        self._sock, self._raw = sock, sock.makefile("rb", buffering=0)
        self._timeout: float | None = None
        self._ends_at: float | None = None

    def makefile(self, mode: str) -> io.BufferedReader:
        del mode
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self._ends_at is not None:
            self._sock.settimeout(max(0.001, self._ends_at - time.monotonic()))
        count: int | None = self._raw.readinto(buffer)
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()

    def start(self) -> None:
        self._timeout = self._sock.gettimeout()
        self._ends_at = None if self._timeout is None else time.monotonic() + self._timeout

    def stop(self) -> None:
        if self._ends_at is not None:
            self._ends_at = None
            # A socket that was closed meanwhile takes it as well.
            self._sock.settimeout(self._timeout)
