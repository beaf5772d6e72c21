"""Carries artifact bytes to and from each side, and counts them; keeps no time.

Over HTTP the client is ``http.client``, the same for each side; boto3 reads from the same source and writes into the
same sink.
"""

import http.client
import io
import os
import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from bench.stack import Side
from tests.live.stack import BUCKET, PREFIX, Store

MIB = 1024**2
# Random, so that nothing on the way can make them fewer.
BLOCKS = [os.urandom(MIB) for _ in range(64)]


class TransferFailedError(Exception):
    """A side refused, or gave fewer bytes than there are: whatever was measured means nothing."""


class Carrier(Protocol):
    """A way for bytes: each method moves one artifact of ``size`` bytes and raises TransferFailedError."""

    def upload(self, path: str, size: int) -> None: ...

    def download(self, path: str, size: int) -> float:
        """Return how many seconds the first byte took."""

    def close(self) -> None: ...


def pieces(size: int) -> Iterator[memoryview]:
    """Yield ``size`` random bytes, a mebibyte at a time at most."""
    for number in range(-(-size // MIB)):
        yield memoryview(BLOCKS[number % len(BLOCKS)])[: min(MIB, size - number * MIB)]


class HttpCarrier:
    """Artifacts over the artifact API of MLflow or a portal, on one kept-alive connection."""

    def __init__(self, side: Side) -> None:
        self._side = side
        self._connection = http.client.HTTPConnection(side.netloc, timeout=600)
        self._buffer = bytearray(MIB)

    def upload(self, path: str, size: int) -> None:
        headers = {"Content-Length": str(size), **self._side.headers}
        self._connection.request("PUT", self._target(path), pieces(size), headers)
        self._check(self._connection.getresponse()).read()

    def download(self, path: str, size: int) -> float:
        began = time.perf_counter()
        self._connection.request("GET", self._target(path), headers=dict(self._side.headers))
        reply = self._check(self._connection.getresponse())
        return _drain(reply.readinto, self._buffer, size, began)

    def close(self) -> None:
        self._connection.close()

    def _target(self, path: str) -> str:
        return f"{self._side.path}/api/2.0/mlflow-artifacts/artifacts/{path}"

    def _check(self, reply: http.client.HTTPResponse) -> http.client.HTTPResponse:
        if reply.status != http.client.OK:
            raise TransferFailedError(f"{self._side.name}: {reply.status} {reply.read(300)!r}")
        return reply


class StoreCarrier:
    """Artifacts with boto3 straight to the store: its own transfer manager up, one stream down."""

    def __init__(self, store: Store) -> None:
        self._client: Any = store.client()
        self._buffer = bytearray(MIB)

    def upload(self, path: str, size: int) -> None:
        self._client.upload_fileobj(_Source(size), BUCKET, f"{PREFIX}/{path}")

    def download(self, path: str, size: int) -> float:
        began = time.perf_counter()
        body = self._client.get_object(Bucket=BUCKET, Key=f"{PREFIX}/{path}")["Body"]
        return _drain(body.readinto, self._buffer, size, began)

    def close(self) -> None:
        self._client.close()


class _Source(io.RawIOBase):
    """The same bytes as a file that cannot be rewound."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._pieces, self._rest = pieces(size), memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._rest = self._rest or next(self._pieces, memoryview(b""))
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


def _drain(readinto: Callable[[bytearray], int], buffer: bytearray, size: int, began: float) -> float:
    count = readinto(buffer)
    first_byte = time.perf_counter() - began
    while read := readinto(buffer):
        count += read
    if count != size:
        raise TransferFailedError(f"{count} of {size} bytes came")
    return first_byte
