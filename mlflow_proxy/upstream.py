"""The only way to MLflow: one request and its answer, deadlines, streaming and four named errors.

Sends a target as rendered: no redirect, no retry, no cookie, no decoding, nothing from the environment. It decides
no right, and of headers it knows those of its own questions alone.
"""

import errno
import http.client
import os
import socket
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache

import structlog

from mlflow_proxy import circuits, conf, headers, metrics
from mlflow_proxy.connections import NotConnectedError, Pool, PromptConnection, PromptTlsConnection, Response
from mlflow_proxy.exceptions import (
    UpstreamError,
    UpstreamGarbledError,
    UpstreamPausedError,
    UpstreamRefusedError,
    UpstreamTimedOutError,
)
from mlflow_proxy.routes import Traffic

log = structlog.get_logger(__name__)

PIECE = 128 * 1024
QUESTION_SECONDS = 2.0
API_GET = "/api/2.0/mlflow/experiments/search?max_results=1"
# Native artifact streaming ignores the static prefix (MLflow 3.17); 404 is the answer of one that works.
NATIVE_ARTIFACT = "/api/2.0/mlflow-artifacts/artifacts/hokusai-portal-layout-probe"


def send(
    method: str,
    target: str,
    told: Mapping[str, str],
    *,
    body: bytes | Iterable[bytes] | None = None,
    traffic: Traffic = "metadata",
) -> Response:
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
) -> Response:
    upstream = conf.upstream()
    pool = _pool(upstream.scheme, upstream.host, upstream.port, traffic, os.getpid())
    connection = pool.take()
    with _named_errors(method, is_logged=is_logged), metrics.timed_upstream(traffic):
        try:
            answer = connection.ask(method, target, dict(told), body, patience)
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
            yield from response.pieces(PIECE)
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
