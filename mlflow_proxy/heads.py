"""The head of a response, whole and bounded; http.client takes one that breaks off for whole. Opens no socket."""

import http.client
from typing import Any

MAXIMUM_INTERIM_REPLIES = 8


class BoundedHead(http.client.HTTPResponse):
    """A response whose head ends: with an empty line, and after few interim ones."""

    _heads = 0

    def begin(self) -> None:
        if self.headers is not None:
            return
        stream, lines = self.fp, _Lines(self.fp)
        self.fp = lines
        try:
            super().begin()
        finally:
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
