"""A scriptable upstream over raw sockets: records the exact bytes it receives and answers with scripted bytes."""

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

PATIENCE_SECONDS = 30
Ending = Literal["keep", "close", "reset", "hang"]


@dataclass
class Seen:
    """A request as it came; ``body`` is as framed on the wire, ``ended`` tells how a connection broke off."""

    connection: int
    head: bytes
    body: bytes = b""
    is_whole: bool = False
    ended: str = ""
    is_answer_cut: bool = False

    @property
    def method(self) -> str:
        return self.head.split(b" ", 2)[0].decode("latin-1")

    @property
    def target(self) -> str:
        return self.head.split(b" ", 2)[1].decode("latin-1")

    @property
    def fields(self) -> list[tuple[str, str]]:
        lines = self.head.decode("latin-1").split("\r\n")[1:-2]
        return [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]

    def all_of(self, name: str) -> list[str]:
        return [value for known, value in self.fields if known == name.lower()]

    def header(self, name: str) -> str | None:
        found = self.all_of(name)
        return found[0] if found else None


@dataclass(frozen=True)
class Answer:
    """Pieces to send, and what becomes of the connection; ``is_early`` answers before the body is read."""

    pieces: Iterable[bytes]
    then: Ending = "keep"
    is_early: bool = False


def ok(body: bytes = b"{}", *lines: str, status: str = "200 OK") -> bytes:
    """Return a well-formed response of known length."""
    kind = () if any(line.lower().startswith("content-type") for line in lines) else ("Content-Type: application/json",)
    head = "\r\n".join([f"HTTP/1.1 {status}", *kind, f"Content-Length: {len(body)}", *lines])
    return head.encode("latin-1") + b"\r\n\r\n" + body


def chunked_ok(*pieces: bytes, line: str = "Content-Type: application/octet-stream") -> bytes:
    """Return a response of unknown length, a chunk a piece."""
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return f"HTTP/1.1 200 OK\r\n{line}\r\nTransfer-Encoding: chunked\r\n\r\n".encode() + chunks + b"0\r\n\r\n"


def dechunk(raw: bytes) -> bytes:
    """Return the content of a chunked body."""
    content = b""
    while True:
        size, _, raw = raw.partition(b"\r\n")
        length = int(size, 16)
        if length == 0:
            return content
        content, raw = content + raw[:length], raw[length + 2 :]


@dataclass
class Stub:
    """A server on a port of its own, one thread a connection; ``script`` maps a request to its Answer."""

    script: Callable[[Seen], Answer] = field(default=lambda _: Answer([ok()]))
    seen: list[Seen] = field(default_factory=list)
    connections: int = 0
    port: int = 0

    def __post_init__(self) -> None:
        self._changed = threading.Condition()
        self._open: dict[int, socket.socket] = {}
        self._listen()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def netloc(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def open_connections(self) -> int:
        return len(self._open)

    def reply(self, *pieces: bytes, then: Ending = "keep", is_early: bool = False) -> None:
        """Answer every request with these bytes."""
        self.script = lambda _: Answer(pieces, then, is_early)

    def wait(self, condition: Callable[[], bool]) -> None:
        """Return once the condition holds; fails the test when it never does."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        with self._changed:
            while not condition():
                assert self._changed.wait(0.05) or time.monotonic() < deadline, "the upstream never saw that"

    def wait_for_end(self, number: int = 0) -> Seen:
        """Return the numbered request once its connection has ended."""
        self.wait(lambda: len(self.seen) > number and bool(self.seen[number].ended))
        return self.seen[number]

    def reset(self) -> None:
        """Close every connection and forget what was seen."""
        with self._changed:
            doomed = list(self._open.values())
        for connection in doomed:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.wait(lambda: not self._open)
        self.seen, self.connections, self.script = [], 0, lambda _: Answer([ok()])

    @contextlib.contextmanager
    def not_listening(self) -> Iterator[None]:
        """Refuse connections meanwhile."""
        self.stop()
        yield
        self._listen()

    def stop(self) -> None:
        self._is_stopping = True
        # A listener that another thread waits on is only freed by waking that thread.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._acceptor.join()
        self._listener.close()
        with self._changed:
            doomed = list(self._open.values())
        for connection in doomed:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.wait(lambda: not self._open)

    def _listen(self) -> None:
        self._is_stopping = False
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=256)
        self.port = self._listener.getsockname()[1]
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()

    def _accept(self) -> None:
        while not self._is_stopping:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._changed:
                self.connections += 1
                number = self.connections
                self._open[id(connection)] = connection
                self._changed.notify_all()
            threading.Thread(target=self._serve, args=(connection, number), daemon=True).start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        buffer = bytearray()
        try:
            while self._serve_one(connection, number, buffer):
                pass
        except OSError:
            pass
        finally:
            connection.close()
            with self._changed:
                self._open.pop(id(connection), None)
                self._changed.notify_all()

    def _serve_one(self, connection: socket.socket, number: int, buffer: bytearray) -> bool:
        while b"\r\n\r\n" not in buffer:
            if not _fill(connection, buffer):
                return False
        end = buffer.index(b"\r\n\r\n") + 4
        seen = Seen(number, bytes(buffer[:end]))
        del buffer[:end]
        with self._changed:
            self.seen.append(seen)
            self._changed.notify_all()
        try:
            answer = self.script(seen)
        except StopIteration:
            # A probe that an earlier test left under way, after the last of this one's answers.
            return False
        if not answer.is_early:
            self._read_body(connection, seen, buffer)
            if not seen.is_whole:
                return False
        if not self._send(connection, seen, answer.pieces):
            return False
        if answer.is_early and answer.then == "keep":
            self._read_body(connection, seen, buffer)
        return self._conclude(connection, seen, answer.then, buffer)

    def _conclude(self, connection: socket.socket, seen: Seen, then: Ending, buffer: bytearray) -> bool:
        if then == "hang":
            try:
                while _fill(connection, buffer):
                    pass
            except OSError:
                self._end(seen, "rst")
                raise
            self._end(seen, "fin")
        if then == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return then == "keep"

    def _send(self, connection: socket.socket, seen: Seen, pieces: Iterable[bytes]) -> bool:
        try:
            for piece in pieces:
                connection.sendall(piece)
        except OSError:
            seen.is_answer_cut = True
            self._end(seen, "rst")
            return False
        return True

    def _read_body(self, connection: socket.socket, seen: Seen, buffer: bytearray) -> None:
        length = int(seen.header("Content-Length") or 0)
        is_chunked = seen.header("Transfer-Encoding") is not None
        try:
            while (end := _end_of_body(buffer, length, is_chunked)) is None:
                if not _fill(connection, buffer):
                    seen.body = bytes(buffer)
                    self._end(seen, "fin")
                    return
        except OSError:
            seen.body = bytes(buffer)
            self._end(seen, "rst")
            return
        with self._changed:
            seen.body, seen.is_whole = bytes(buffer[:end]), True
            del buffer[:end]
            self._changed.notify_all()

    def _end(self, seen: Seen, how: str) -> None:
        with self._changed:
            seen.ended = how
            self._changed.notify_all()


def _fill(connection: socket.socket, buffer: bytearray) -> bool:
    received = connection.recv(256 * 1024)
    buffer += received
    return bool(received)


def _end_of_body(buffer: bytearray, length: int, is_chunked: bool) -> int | None:
    if not is_chunked:
        return length if len(buffer) >= length else None
    at = 0
    while (line_end := buffer.find(b"\r\n", at)) >= 0:
        size = int(buffer[at:line_end], 16)
        at = line_end + 2 + size + 2
        if len(buffer) < at:
            return None
        if size == 0:
            return at
    return None
