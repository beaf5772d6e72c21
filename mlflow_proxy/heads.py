"""The head of a response, whole, strict and bounded; http.client takes one that breaks off for whole. Opens no socket.

It reads a head with the parser of e-mail, which costs a tenth of a call, takes what is no field for the text of a
letter, and folds lines.
"""

import http.client
import io
import re
import time
from typing import Any

MAXIMUM_INTERIM_REPLIES = 8
MAXIMUM_LINE_BYTES = 65_536
MAXIMUM_FIELDS = 100
# RFC 9112 §5: a token, a colon and a value on one line.
FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*?)[ \t]*\r?\n")
LAST_LINES = frozenset({b"\r\n", b"\n"})


class BoundedHead(http.client.HTTPResponse):
    """A response whose head ends: with an empty line, after few interim ones, and within the socket's timeout."""

    def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
        self._clock = _Clock(sock)
        super().__init__(self._clock, *args, **kwargs)  # type: ignore[arg-type]

    def begin(self) -> None:
        """Read the head; raises http.client.HTTPException where it is cut, unreadable or without end."""
        if self.headers is not None:
            return
        self._clock.start()
        try:
            self._read_head()
        finally:
            self._clock.stop()
        self._set_framing()

    def _read_head(self) -> None:
        for _ in range(MAXIMUM_INTERIM_REPLIES):
            version, status, reason = self._read_status()  # type: ignore[attr-defined]
            fields = self._read_fields()
            if status != http.client.CONTINUE:
                break
        else:
            raise http.client.HTTPException("too many interim responses")
        if not version.startswith("HTTP/1."):
            raise http.client.UnknownProtocol(version)
        self.version = 10 if version == "HTTP/1.0" else 11
        self.code = self.status = status
        self.reason = reason.strip()
        self.headers = self.msg = fields

    def _read_fields(self) -> http.client.HTTPMessage:
        fields = http.client.HTTPMessage()
        for _ in range(MAXIMUM_FIELDS + 1):
            line = self.fp.readline(MAXIMUM_LINE_BYTES + 1)
            if line in LAST_LINES:
                return fields
            if (field := FIELD.fullmatch(line)) is None:
                # Cut values would pass for whole ones: half a length, half an entity tag.
                raise http.client.HTTPException("the head broke off, or has a line that is no field")
            fields.set_raw(field[1].decode("ascii"), field[2].decode("latin-1"))
        raise http.client.HTTPException("too many fields")

    def _set_framing(self) -> None:
        """Say where the body ends, as http.client does; a doubtful length is refused by whoever sees all its fields."""
        self.chunked = self.headers.get("Transfer-Encoding", "").lower() == "chunked"
        self.chunk_left = None
        length = self.headers.get("Content-Length", "")
        self.length = int(length) if length.isdecimal() and not self.chunked else None
        if self.status in {204, 304} or self.status < 200 or self._method == "HEAD":  # type: ignore[attr-defined]
            self.length = 0
        is_open_ended = self.length is None and not self.chunked
        self.will_close = is_open_ended or self._check_close()  # type: ignore[attr-defined]


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
