"""Connections to MLflow that are kept alive, and their answers; lent to upstream.py. Logs and judges nothing."""

import http.client
import re
import select
import socket
import ssl
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress

from mlflow_proxy import conf, metrics
from mlflow_proxy.heads import BoundedHead
from mlflow_proxy.routes import Traffic

POOL_SIZE = 64
# uvicorn closes a connection after 5 s of silence; a request sent into that moment would be lost.
MAXIMUM_IDLE_SECONDS = 4.0
# RFC 9112 §3 and §5: nothing in a head may be read as the end of its line, or of the head.
HEAD = re.compile(rb"[A-Z]+ [!-~]+ HTTP/1\.1\r\n(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+: [\t\x20-\x7e\x80-\xff]*\r\n)+\r\n")
# RFC 9110 §8.6: methods whose lack of a body is said.
WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
# Up to here head and body go out in one piece, so that MLflow wakes once; beyond, the copy costs more.
MAXIMUM_JOINED_BYTES = 64 * 1024


class NotConnectedError(OSError):
    """There was no connection, and so nothing was sent; the cause says why."""


class PromptConnection(http.client.HTTPConnection):
    """A connection that acknowledges the head at once and is not reused when dirty or about to be closed.

    Of http.client it has the ways to connect. Its ways to ask take a fifth of a call, and send head and body apart.
    """

    is_clean = True
    last_answer_at = 0.0

    def __init__(self, host: str, port: int, traffic: Traffic) -> None:
        super().__init__(host, port)
        self.traffic = traffic

    @property
    def is_reusable(self) -> bool:
        is_fresh = time.monotonic() - self.last_answer_at < MAXIMUM_IDLE_SECONDS
        return self.sock is not None and self.is_clean and is_fresh and not _is_readable(self.sock)

    def ask(
        self, method: str, target: str, headers: dict[str, str], body: bytes | Iterable[bytes] | None, patience: float
    ) -> http.client.HTTPResponse:
        """Send a request and return the response with its body unread; ``patience`` in seconds.

        Raises NotConnectedError, OSError, and http.client.HTTPException for a head that is none, sent or received.
        """
        framing, is_chunked = _framing(method, headers, body)
        head = _head(method, target, headers | framing)
        if self.sock is None:
            self.timeout = min(conf.connect_timeout(), patience)
            self.connect()
        self.is_clean = False
        # A body may meet a server that writes to disk meanwhile.
        self._wait_at_most(patience if body is None else conf.transfer_timeout())
        # A server that stops listening in the middle of a body may have answered before; what is unsent is dirt.
        with suppress(BrokenPipeError, ConnectionResetError):
            self._tell(head, body, is_chunked=is_chunked)
            self.is_clean = True
        self._wait_at_most(patience)
        return self._hear(method)

    def _tell(self, head: bytes, body: bytes | Iterable[bytes] | None, *, is_chunked: bool) -> None:
        if isinstance(body, bytes) and len(body) <= MAXIMUM_JOINED_BYTES:
            head, body = head + body, None
        self.sock.sendall(head)
        for piece in (body,) if isinstance(body, bytes) else body or ():
            # An empty chunk would end the body (RFC 9112 §7.1).
            if piece:
                self.sock.sendall(b"%x\r\n%b\r\n" % (len(piece), piece) if is_chunked else piece)
        if is_chunked:
            self.sock.sendall(b"0\r\n\r\n")

    def _hear(self, method: str) -> http.client.HTTPResponse:
        # MLflow writes head and body apart with Nagle on: the body waits for the head's delayed ACK, 40 ms a call.
        self._acknowledge_at_once()
        answer = BoundedHead(self.sock, method=method)
        try:
            answer.begin()
        except BaseException:
            answer.close()
            raise
        self._acknowledge_at_once()
        self.last_answer_at = time.monotonic()
        # Behind an error that it did not expect uvicorn closes without a word: the next caller would get a 502.
        self.is_clean = self.is_clean and answer.status != 500 and not answer.will_close
        return answer

    def connect(self) -> None:
        try:
            super().connect()
        except ssl.SSLError:
            raise
        except OSError as error:
            raise NotConnectedError from error
        metrics.count_upstream_connection(self.traffic)

    def _wait_at_most(self, seconds: float) -> None:
        # Each change of it is a call of the system.
        if self.sock.gettimeout() != seconds:
            self.sock.settimeout(seconds)

    def _acknowledge_at_once(self) -> None:
        if self.sock is not None and hasattr(socket, "TCP_QUICKACK"):
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


class PromptTlsConnection(PromptConnection, http.client.HTTPSConnection):
    """The same over TLS, verified against the system's authorities."""


class Pool:
    """Connections at rest, the one that rested least first; more than it keeps are served and closed."""

    def __init__(self, kind: type[PromptConnection], host: str, port: int, traffic: Traffic) -> None:
        self._kind, self._host, self._port, self._traffic = kind, host, port, traffic
        self._resting: deque[PromptConnection] = deque()

    def take(self) -> PromptConnection:
        """Return a connection that nobody else has; it may have to connect yet."""
        with suppress(IndexError):
            while True:
                connection = self._resting.pop()
                if connection.is_reusable:
                    return connection
                connection.close()
        return self._kind(self._host, self._port, self._traffic)

    def give_back(self, connection: PromptConnection) -> None:
        """Let a connection rest whose answer was read to its end."""
        if len(self._resting) < POOL_SIZE:
            self._resting.append(connection)
        else:
            connection.close()


class Response:
    """MLflow's answer with its body unread: ``status`` and ``headers``; for ``Body``, ``read`` or ``discard``."""

    def __init__(self, answer: http.client.HTTPResponse, connection: PromptConnection, pool: Pool) -> None:
        self._answer, self._connection, self._pool = answer, connection, pool
        self.status, self.headers = answer.status, answer.headers
        self._is_read = False
        self.received = 0

    def pieces(self, size: int) -> Iterator[bytes]:
        """Yield the body as it comes, ``size`` bytes at most; raises http.client.IncompleteRead where it is cut."""
        take = self._answer.read1 if self._answer.chunked else self._answer.read
        while piece := take(size):
            self.received += len(piece)
            yield piece
        self._refuse_cut()

    def read(self, limit: int) -> bytes:
        """Return at most so many bytes of the body; raises http.client.IncompleteRead where it is cut."""
        raw = self._answer.read(limit)
        if len(raw) < limit:
            self._refuse_cut()
        self._is_read = self._answer.isclosed()
        return raw

    def close(self) -> None:
        """Be done; the connection rests only if the body was read to its end."""
        connection = self._connection
        self._answer.close()
        if self._is_read and connection.is_clean and connection.sock is not None:
            self._is_read = False
            self._pool.give_back(connection)
        else:
            connection.close()

    def _refuse_cut(self) -> None:
        if self._answer.length:
            raise http.client.IncompleteRead(b"", self._answer.length)
        self._is_read = self._answer.isclosed()


def _framing(
    method: str, headers: Mapping[str, str], body: bytes | Iterable[bytes] | None
) -> tuple[dict[str, str], bool]:
    """Return what tells where the body ends, unless the headers do, and whether it goes out chunked.

    Raises http.client.HTTPException for headers that could tell it in two ways.
    """
    names = {name.lower() for name in headers}
    if len(names) != len(headers) or "transfer-encoding" in names:
        raise http.client.HTTPException("the end of the body would be told in two ways")
    if "content-length" in names:
        return {}, False
    if body is None:
        return ({"Content-Length": "0"} if method in WITH_BODY else {}), False
    if isinstance(body, bytes):
        return {"Content-Length": str(len(body))}, False
    return {"Transfer-Encoding": "chunked"}, True


def _head(method: str, target: str, headers: Mapping[str, str]) -> bytes:
    """Return the head of a request; raises http.client.HTTPException where something in it is not of one line."""
    fields = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    try:
        head = f"{method} {target} HTTP/1.1\r\n{fields}\r\n".encode("latin-1")
    except UnicodeEncodeError:
        raise http.client.HTTPException("not a head") from None
    # A whole line inside of a value has the shape of a field: it is found by the number of lines.
    if HEAD.fullmatch(head) is None or head.count(b"\n") != len(headers) + 2:
        raise http.client.HTTPException("not a head")
    return head


def _is_readable(sock: socket.socket) -> bool:
    """Return whether a socket at rest has something to say: its end, or what nobody has asked for."""
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))
