"""Connections to MLflow that are kept alive, and their answers; lent to upstream.py. Logs and judges nothing."""

import http.client
import select
import socket
import ssl
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from mlflow_proxy import conf, metrics
from mlflow_proxy.heads import BoundedHead
from mlflow_proxy.routes import Traffic

POOL_SIZE = 64
# uvicorn closes a connection after 5 s of silence; a request sent into that moment would be lost.
MAXIMUM_IDLE_SECONDS = 4.0


class NotConnectedError(OSError):
    """There was no connection, and so nothing was sent; the cause says why."""


class PromptConnection(http.client.HTTPConnection):
    """A connection that acknowledges the head at once and is not reused when dirty or about to be closed."""

    response_class = BoundedHead
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
        self, method: str, target: str, headers: Mapping[str, str], body: Any, patience: float
    ) -> http.client.HTTPResponse:
        """Send a request and return the response with its body unread; ``patience`` in seconds."""
        if self.sock is None:
            self.timeout = min(conf.connect_timeout(), patience)
            self.connect()
        self.is_clean = False
        # A body may meet a server that writes to disk meanwhile.
        self._wait_at_most(patience if body is None else conf.transfer_timeout())
        # A server that stops listening in the middle of a body may have answered before; what is unsent is dirt.
        with suppress(BrokenPipeError, ConnectionResetError):
            self.request(method, target, body, headers)
            self.is_clean = True
        self._wait_at_most(patience)
        return self.getresponse()

    def getresponse(self) -> http.client.HTTPResponse:
        # MLflow writes head and body apart with Nagle on: the body waits for the head's delayed ACK, 40 ms a call.
        self._acknowledge_at_once()
        response = super().getresponse()
        self._acknowledge_at_once()
        self.last_answer_at = time.monotonic()
        # Behind an error that it did not expect uvicorn closes without a word: the next caller would get a 502.
        self.is_clean = self.is_clean and response.status != 500
        return response

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


def _is_readable(sock: socket.socket) -> bool:
    """Return whether a socket at rest has something to say: its end, or what nobody has asked for."""
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))
