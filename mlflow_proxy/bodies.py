"""Read a request's body from the server in bounded pieces and hold it to its announced length; knows no route.

Django's own stream stops at CONTENT_LENGTH and so reads a chunked upload as nothing; a server reports a caller who
died as a normal end of input. Both would let half an upload pass for a whole one.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from mlflow_proxy.exceptions import BodyRefusedError, BodyTooLargeError, UploadTruncatedError

# gunicorn holds up to twice as much for each upload.
PIECE = 256 * 1024


class Readable(Protocol):
    def read(self, size: int) -> bytes: ...


class RequestBody:
    """The caller's bytes; ``length`` is what was announced, None for a chunked body."""

    def __init__(self, stream: Readable, length: int | None) -> None:
        self._stream = stream
        self.length = length
        self.received = 0

    @classmethod
    def of(cls, environ: Mapping[str, Any]) -> "RequestBody":
        """Return the body of a WSGI request; a chunked one needs a server that ends the input by itself."""
        stream = environ["wsgi.input"]
        if coding := environ.get("HTTP_TRANSFER_ENCODING"):
            if coding.strip().lower() != "chunked":
                # gunicorn takes "gzip, chunked" and leaves the gzip to us: stored as it is, it would be another file.
                raise BodyRefusedError("Transfer-Encoding must be chunked, and nothing else.")
            if not environ.get("wsgi.input_terminated"):
                raise BodyRefusedError("This server cannot read a chunked body. Send Content-Length.")
            return cls(stream, None)
        return cls(stream, int(environ.get("CONTENT_LENGTH") or 0))

    @property
    def is_absent(self) -> bool:
        return self.length == 0

    def __iter__(self) -> Iterator[bytes]:
        """Yield pieces of at most PIECE bytes; raises UploadTruncatedError instead of ending early."""
        while self.length is None or self.received < self.length:
            piece = self._read(PIECE if self.length is None else min(PIECE, self.length - self.received))
            if not piece:
                break
            self.received += len(piece)
            yield piece
        if self.length is not None and self.received != self.length:
            raise UploadTruncatedError()

    def read_whole(self, limit: int) -> bytes:
        """Return all bytes; raises BodyTooLargeError above ``limit`` bytes, before reading when it is announced."""
        too_large = BodyTooLargeError(f"The body is larger than the limit of {limit} bytes for this operation.")
        if self.length is not None and self.length > limit:
            raise too_large
        pieces = []
        for piece in self:
            pieces.append(piece)
            if self.received > limit:
                raise too_large
        return b"".join(pieces)

    def _read(self, size: int) -> bytes:
        try:
            return self._stream.read(size)
        except Exception as error:
            # The server raises its own classes for a broken chunk or a caller who left mid-body.
            raise UploadTruncatedError() from error
