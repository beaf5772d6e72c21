"""The only module that opens a socket to MLflow: pools, deadlines, streaming and four named errors.

Sends a target as rendered: no redirect, no retry, no cookie, no decoding, nothing from the environment. It decides
no right, and of headers it knows those of its own questions alone.
"""

import errno
import http.client
import os
import socket
import time
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any

import structlog
import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from mlflow_proxy import circuits, conf, headers, metrics
from mlflow_proxy.exceptions import (
    UpstreamError,
    UpstreamGarbledError,
    UpstreamPausedError,
    UpstreamRefusedError,
    UpstreamTimedOutError,
)
from mlflow_proxy.heads import BoundedHead
from mlflow_proxy.routes import Traffic

log = structlog.get_logger(__name__)

PIECE = 128 * 1024
POOL_SIZE = 64
QUESTION_SECONDS = 2.0
API_GET = "/api/2.0/mlflow/experiments/search?max_results=1"
# Native artifact streaming ignores the static prefix (MLflow 3.17); 404 is the answer of one that works.
NATIVE_ARTIFACT = "/api/2.0/mlflow-artifacts/artifacts/hokusai-portal-layout-probe"
# uvicorn closes a connection after 5 s of silence; a request sent into that moment would be lost.
MAXIMUM_IDLE_SECONDS = 4.0


class PromptConnection(HTTPConnection):
    """A connection that acknowledges the head at once and is not reused when dirty or about to be closed."""

    response_class = BoundedHead
    is_clean = True
    last_answer_at = 0.0

    def __init__(self, *args: Any, traffic: Traffic = "metadata", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.traffic = traffic

    @property
    def is_connected(self) -> bool:
        is_fresh = time.monotonic() - self.last_answer_at < MAXIMUM_IDLE_SECONDS
        return self.is_clean and is_fresh and super().is_connected

    def request(self, *args: object, **kwargs: object) -> None:
        # urllib3 reads the answer of a server that stopped listening mid-body; what is left unsent makes it dirty.
        self.is_clean = False
        super().request(*args, **kwargs)  # type: ignore[arg-type]
        self.is_clean = True

    def send(self, data: object) -> None:
        if self.sock is not None:
            # urllib3 sends bodies under the connect timeout: too short for a server that writes to disk meanwhile.
            self.sock.settimeout(conf.transfer_timeout())
        super().send(data)  # type: ignore[arg-type]

    def getresponse(self) -> urllib3.HTTPResponse:  # type: ignore[override]
        # MLflow writes head and body apart with Nagle on: the body waits for the head's delayed ACK, 40 ms a call.
        self._acknowledge_at_once()
        response = super().getresponse()
        self._acknowledge_at_once()
        self.last_answer_at = time.monotonic()
        # Behind an error that it did not expect uvicorn closes without a word: the next caller would get a 502.
        self.is_clean = response.status != 500
        return response

    def connect(self) -> None:
        super().connect()
        metrics.count_upstream_connection(self.traffic)
        self.is_clean = True
        self.last_answer_at = time.monotonic()

    def _acknowledge_at_once(self) -> None:
        if self.sock is not None and hasattr(socket, "TCP_QUICKACK"):
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


class PromptTlsConnection(PromptConnection, HTTPSConnection):
    """The same over TLS, verified against the system's authorities."""


def send(
    method: str,
    target: str,
    told: Mapping[str, str],
    *,
    body: bytes | Iterable[bytes] | None = None,
    traffic: Traffic = "metadata",
) -> urllib3.BaseHTTPResponse:
    """Send one request and return the response with its body unread; the caller hands it to ``Body`` or ``read``.

    ``told`` are the headers; an iterable body without a Content-Length goes out chunked. Raises UpstreamRefusedError
    when nothing was sent, UpstreamTimedOutError, UpstreamGarbledError, and whatever the body's iteration raises; in
    each case the connection is closed unfinished.
    """
    patience = conf.metadata_timeout() if traffic == "metadata" else conf.transfer_timeout()
    with circuits.guarded("mlflow", traffic, is_answering=lambda: _is_answering(traffic), refusal=UpstreamPausedError):
        return _exchange(method, target, told, body=body, traffic=traffic, patience=patience)


def ask(
    method: str, target: str, *, seconds: float, limit: int, body: bytes | None = None, traffic: Traffic = "metadata"
) -> tuple[int, bytes]:
    """Ask a question of the portal's own, past the breaker: return status and at most ``limit`` bytes of the answer.

    ``seconds`` bound each wait. Nothing is logged: whoever asks keeps the answer. Raises UpstreamError.
    """
    told = {"Host": conf.upstream().netloc, "X-Forwarded-For": "unknown", "Accept-Encoding": "identity"}
    told |= {headers.HOP_HEADER: "1"} | ({"Content-Length": str(len(body))} if body is not None else {})
    response = _exchange(method, target, told, body=body, traffic=traffic, patience=seconds, is_logged=False)
    return response.status, read(response, limit, is_logged=False)


def _is_answering(traffic: Traffic) -> bool:
    """Return whether MLflow answers for a kind of traffic, whatever it says; its own /health asks no database."""
    target = conf.static_prefix() + API_GET if traffic == "metadata" else NATIVE_ARTIFACT
    try:
        ask("GET", target, seconds=QUESTION_SECONDS, limit=PIECE, traffic=traffic)
    except UpstreamError:
        return False
    return True


def _exchange(
    method: str,
    target: str,
    told: Mapping[str, str],
    *,
    body: bytes | Iterable[bytes] | None,
    traffic: Traffic,
    patience: float,
    is_logged: bool = True,
) -> urllib3.BaseHTTPResponse:
    upstream = conf.upstream()
    pool = _pool(upstream.scheme, upstream.host, upstream.port, traffic, os.getpid())
    with _named_errors(method, is_logged=is_logged), metrics.timed_upstream(traffic):
        response = pool.urlopen(
            method,
            target,
            body=body,
            headers=told,
            retries=False,
            redirect=False,
            assert_same_host=False,
            timeout=urllib3.Timeout(connect=min(conf.connect_timeout(), patience), read=patience),
            preload_content=False,
            decode_content=False,
        )
    _refuse_doubtful_framing(response, method)
    return response


class Body:
    """A response's body as it comes: a cut raises, and closing it early closes the connection to MLflow.

    Its first piece is read at once. The server sends no head before that piece, so that a fault until then, raised
    here, can still become an error that the caller understands.
    """

    def __init__(self, response: urllib3.BaseHTTPResponse) -> None:
        self._pieces = _pieces(response)
        self._first = next(self._pieces, b"")

    def __iter__(self) -> Iterator[bytes]:
        if self._first:
            yield self._first
        yield from self._pieces

    def close(self) -> None:
        self._pieces.close()


def _pieces(response: urllib3.BaseHTTPResponse) -> Generator[bytes]:
    is_complete = False
    try:
        with _named_errors("body"):
            yield from response.stream(PIECE, decode_content=False)
        is_complete = True
    finally:
        if not is_complete:
            log.warning("reply_aborted", received=response.tell())
        discard(response)


def read(response: urllib3.BaseHTTPResponse, limit: int, *, is_logged: bool = True) -> bytes:
    """Return at most ``limit`` bytes of a small body and be done with the response."""
    try:
        with _named_errors("body", is_logged=is_logged):
            return response.read(limit, decode_content=False)
    finally:
        discard(response)


def discard(response: urllib3.BaseHTTPResponse) -> None:
    """Close the response; its connection returns to the pool only if the body was read to its end."""
    response.close()
    response.release_conn()


@contextmanager
def _named_errors(doing: str, *, is_logged: bool = True) -> Iterator[None]:
    try:
        yield
    except (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError) as error:
        named = _named(error)
        if is_logged:
            _log(named, doing, error)
        raise named from None


def _named(error: Exception) -> UpstreamError:
    if isinstance(error, urllib3.exceptions.ConnectTimeoutError):
        return _not_connected(error)
    is_timeout = isinstance(error, urllib3.exceptions.ReadTimeoutError)
    is_timeout = is_timeout or any(isinstance(cause, TimeoutError) for cause in error.args)
    return UpstreamTimedOutError() if is_timeout else UpstreamGarbledError()


def _not_connected(error: Exception) -> UpstreamRefusedError:
    """Return the error with the operator's word: each has its own place to look."""
    if isinstance(error, urllib3.exceptions.NameResolutionError):
        return UpstreamRefusedError(reason="UPSTREAM_NAME_UNKNOWN")
    has_no_way = getattr(error.__cause__, "errno", 0) in {errno.EHOSTUNREACH, errno.ENETUNREACH}
    if isinstance(error, urllib3.exceptions.NewConnectionError) and not has_no_way:
        return UpstreamRefusedError()
    return UpstreamRefusedError(reason="UPSTREAM_UNREACHABLE")


def _log(named: UpstreamError, doing: str, cause: Exception) -> None:
    # A method that may have changed something and got no answer: whether it did is for the operator to find out.
    is_ambiguous = doing not in {"GET", "HEAD", "body"} and not isinstance(named, UpstreamRefusedError)
    log.warning("upstream_failed", error=type(cause).__name__, named=type(named).__name__, ambiguous=is_ambiguous)


def _refuse_doubtful_framing(response: urllib3.BaseHTTPResponse, method: str) -> None:
    """Close and raise where the length of a body is contradictory or open-ended (RFC 9112 §6.3)."""
    lengths = set(response.headers.getlist("Content-Length"))
    codings = response.headers.getlist("Transfer-Encoding")
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
def _pool(scheme: str, host: str, port: int, traffic: Traffic, pid: int) -> HTTPConnectionPool:
    # Not shared across kinds of traffic, so that transfers cannot starve metadata; nor across fork (hence the pid).
    del pid
    if scheme == "https":
        pool: HTTPConnectionPool = HTTPSConnectionPool(host, port, maxsize=POOL_SIZE, block=False, traffic=traffic)
        pool.ConnectionCls = PromptTlsConnection
    else:
        pool = HTTPConnectionPool(host, port, maxsize=POOL_SIZE, block=False, traffic=traffic)
        pool.ConnectionCls = PromptConnection
    return pool
