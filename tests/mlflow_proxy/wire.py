"""A client of the portal that sends what it is told, byte for byte, and reads no more into a reply than is there."""

import contextlib
import http.client
import json
import socket
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.mlflow_proxy.portal import Portal

M = "/api/mlflow"
FILES = f"{M}/api/2.0/mlflow-artifacts/artifacts"
SEARCH = f"{M}/api/2.0/mlflow/experiments/search?max_results=1"
CREATE = f"{M}/api/2.0/mlflow/runs/create"
NATIVE = "/api/2.0/mlflow-artifacts/artifacts"
PATIENCE_SECONDS = 30


@dataclass(frozen=True)
class Reply:
    """Status, headers by lower-case name, and body."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.body)
        return document

    @property
    def request_id(self) -> str:
        return self.headers["x-request-id"]


def bearer(portal: Portal, who: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {portal.home.keys[who]}"} if who else {}


def call(
    portal: Portal,
    method: str,
    target: str,
    *,
    who: str | None = "operator",
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
) -> Reply:
    """Make one whole call; raises what http.client raises for a reply that breaks off."""
    with opened(portal, method, target, who=who, headers=headers, body=body) as response:
        told = {name.lower(): value for name, value in response.getheaders()}
        return Reply(response.status, told, response.read())


@contextlib.contextmanager
def opened(
    portal: Portal,
    method: str,
    target: str,
    *,
    who: str | None = "operator",
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
) -> Iterator[http.client.HTTPResponse]:
    """Make a call and yield the response with its body unread."""
    connection = http.client.HTTPConnection("127.0.0.1", portal.port, timeout=PATIENCE_SECONDS)
    with contextlib.closing(connection):
        connection.putrequest(method, target, skip_accept_encoding=True)
        for name, value in (bearer(portal, who) | dict(headers or {})).items():
            connection.putheader(name, value)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        # An answer may come, and the connection go, before the body is out.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.endheaders(body)
        with contextlib.closing(connection.getresponse()) as response:
            yield response


def head(portal: Portal, request_line: str, *lines: str, who: str | None = "operator", host: str = "") -> bytes:
    """Return a request head with Host and key, that asks for the connection to be closed."""
    credentials = [f"{name}: {value}" for name, value in bearer(portal, who).items()]
    host_lines = [f"Host: {host or portal.netloc}"]
    return "\r\n".join([request_line, *host_lines, *credentials, "Connection: close", *lines, "", ""]).encode("latin-1")


def send_raw(portal: Portal, *pieces: bytes, end: str = "wait") -> bytes:
    """Send bytes and return every byte that comes back until the portal closes.

    ``end`` is "wait", "fin" (say that nothing follows, then read) or "rst" (cut at once and read nothing).
    """
    with socket.create_connection(("127.0.0.1", portal.port), PATIENCE_SECONDS) as connection:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for piece in pieces:
                connection.sendall(piece)
        if end == "rst":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return b""
        if end == "fin":
            connection.shutdown(socket.SHUT_WR)
        return _read_all(connection)


def _read_all(connection: socket.socket) -> bytes:
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := connection.recv(65536):
            received += piece
    return received


def chunked(pieces: Iterable[bytes]) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def status_of(raw: bytes) -> int:
    """Return the status of the first reply, 0 when the connection was closed without one."""
    return int(raw.split(b" ", 2)[1]) if raw.startswith(b"HTTP/1.1 ") else 0
