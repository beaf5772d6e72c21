"""The only way to MLflow: one request and its answer, deadlines, streaming and four named errors.

Sends a target as rendered: no redirect, no retry, no cookie, no decoding, nothing from the environment. It decides
no right and knows no header rule.
"""

import errno
import http.client
import os
import socket
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache

import structlog

from mlflow_proxy import conf, metrics
from mlflow_proxy.connections import NotConnectedError, Pool, PromptConnection, PromptTlsConnection
from mlflow_proxy.exceptions import (
    UpstreamError,
    UpstreamGarbledError,
    UpstreamRefusedError,
    UpstreamTimedOutError,
)
from mlflow_proxy.routes import Traffic

log = structlog.get_logger(__name__)

PIECE = 128 * 1024


class Response:
    """MLflow's answer with its body unread: ``status`` and ``headers``; for ``Body``, ``read`` or ``discard``."""

    def __init__(self, answer: http.client.HTTPResponse, connection: PromptConnection, pool: Pool) -> None:
        self._answer, self._connection, self._pool = answer, connection, pool
        self.status, self.headers = answer.status, answer.headers
        self._is_read = False
        self.received = 0

    def pieces(self) -> Iterator[bytes]:
        """Yield the body as it comes; raises http.client.IncompleteRead where it is cut."""
        take = self._answer.read1 if self._answer.chunked else self._answer.read
        while piece := take(PIECE):
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


def send(
    method: str,
    target: str,
    headers: Mapping[str, str],
    *,
    body: bytes | Iterable[bytes] | None = None,
    traffic: Traffic = "metadata",
    timeout: float | None = None,
    is_logged: bool = True,
) -> Response:
    """Send one request and return the response with its body unread; the caller hands it to ``Body`` or ``read``.

    An iterable body without a Content-Length header goes out chunked. ``timeout`` in seconds bounds each wait for
    bytes. ``is_logged`` is False for a question of health, whose answer is kept elsewhere. Raises UpstreamRefusedError
    when nothing was sent, UpstreamTimedOutError, UpstreamGarbledError, and whatever the body's iteration raises; in
    each case the connection is closed unfinished.
    """
    upstream = conf.upstream()
    pool = _pool(upstream.scheme, upstream.host, upstream.port, traffic, os.getpid())
    patience = timeout or (conf.metadata_timeout() if traffic == "metadata" else conf.transfer_timeout())
    connection = pool.take()
    with _named_errors(method, is_logged=is_logged), metrics.timed_upstream(traffic):
        try:
            answer = connection.ask(method, target, headers, body, patience)
        except BaseException:
            connection.close()
            raise
    response = Response(answer, connection, pool)
    _refuse_doubtful_framing(response, method)
    return response


class Body:
    """A response's body as it comes: a cut raises, and closing it early closes the connection to MLflow.

    Its first piece is read at once. The server sends no head before that piece, so that a fault until then, raised
    here, can still become an error that the caller understands.
    """

    def __init__(self, response: Response) -> None:
        self._pieces = _pieces(response)
        self._first = next(self._pieces, b"")

    def __iter__(self) -> Iterator[bytes]:
        if self._first:
            yield self._first
        yield from self._pieces

    def close(self) -> None:
        self._pieces.close()


def _pieces(response: Response) -> Generator[bytes]:
    is_complete = False
    try:
        with _named_errors("body"):
            yield from response.pieces()
        is_complete = True
    finally:
        if not is_complete:
            log.warning("reply_aborted", received=response.received)
        discard(response)


def read(response: Response, limit: int, *, is_logged: bool = True) -> bytes:
    """Return at most ``limit`` bytes of a small body and be done with the response."""
    try:
        with _named_errors("body", is_logged=is_logged):
            return response.read(limit)
    finally:
        discard(response)


def discard(response: Response) -> None:
    """Close the response; its connection returns to the pool only if the body was read to its end."""
    response.close()


@contextmanager
def _named_errors(doing: str, *, is_logged: bool = True) -> Iterator[None]:
    try:
        yield
    except (http.client.HTTPException, OSError) as error:
        named = _named(error)
        if is_logged:
            _log(named, doing, error)
        raise named from None


def _named(error: Exception) -> UpstreamError:
    if isinstance(error, NotConnectedError):
        return _not_connected(error.__cause__)
    return UpstreamTimedOutError() if isinstance(error, TimeoutError) else UpstreamGarbledError()


def _not_connected(cause: BaseException | None) -> UpstreamRefusedError:
    """Return the error with the operator's word: each has its own place to look."""
    if isinstance(cause, socket.gaierror):
        return UpstreamRefusedError(reason="UPSTREAM_NAME_UNKNOWN")
    has_no_way = getattr(cause, "errno", 0) in {errno.EHOSTUNREACH, errno.ENETUNREACH}
    if isinstance(cause, TimeoutError) or has_no_way:
        return UpstreamRefusedError(reason="UPSTREAM_UNREACHABLE")
    return UpstreamRefusedError()


def _log(named: UpstreamError, doing: str, cause: Exception) -> None:
    # A method that may have changed something and got no answer: whether it did is for the operator to find out.
    is_ambiguous = doing not in {"GET", "HEAD", "body"} and not isinstance(named, UpstreamRefusedError)
    log.warning("upstream_failed", error=type(cause).__name__, named=type(named).__name__, ambiguous=is_ambiguous)


def _refuse_doubtful_framing(response: Response, method: str) -> None:
    """Close and raise where the length of a body is contradictory or open-ended (RFC 9112 §6.3)."""
    lengths = set(response.headers.get_all("Content-Length", []))
    codings = response.headers.get_all("Transfer-Encoding", [])
    has_body = method != "HEAD" and response.status not in {204, 304}
    # http.client passes over 100 alone; any other interim answer would be taken for the final one.
    is_interim = response.status < 200
    is_contradictory = len(lengths) > 1 or bool(lengths and codings) or not all(n.isdecimal() for n in lengths)
    # A body that ends with the connection cannot be told from one that was cut.
    is_open_ended = has_body and not lengths and [coding.lower() for coding in codings] != ["chunked"]
    if is_interim or is_contradictory or is_open_ended:
        discard(response)
        raise UpstreamGarbledError()


@cache
def _pool(scheme: str, host: str, port: int, traffic: Traffic, pid: int) -> Pool:
    # Not shared across kinds of traffic, so that transfers cannot starve metadata; nor across fork (hence the pid).
    del pid
    return Pool(PromptTlsConnection if scheme == "https" else PromptConnection, host, port, traffic)
