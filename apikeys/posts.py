"""The one way in which messages leave for a webhook: a POST over a connection of its own; decides nothing about them.

It goes to the address that was judged, with the Host and the certificate of the URL. There is no redirect to follow,
no proxy, netrc or cookie, and no second try here. The answer's body is not read.
"""

import http.client
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

from apikeys import conf
from apikeys.destinations import Destination

CONNECT_SECONDS, READ_SECONDS = 3.05, 5.0
# All of it: a receiver that trickles would else hold up the others for hours.
WHOLE_SECONDS = 15.0


class UndeliveredError(Exception):
    """A message was not taken; ``status`` is that of the answer, None without one. The message names no secret."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


def send(destination: Destination, body: bytes, headers: Mapping[str, str]) -> int:
    """Post JSON and return the status of an answer from 200 to 299; raises UndeliveredError for all else."""
    try:
        status = _exchange(destination, body, headers)
    except ssl.SSLCertVerificationError as error:
        raise UndeliveredError(f"certificate: {error.verify_message}") from None
    except TimeoutError:
        raise UndeliveredError("no answer in time") from None
    except ConnectionRefusedError:
        raise UndeliveredError("nothing listens there") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        # Their text may repeat what the other side sent.
        raise UndeliveredError(f"broken off: {type(error).__name__}") from None
    if not 200 <= status < 300:
        raise UndeliveredError(f"status {status}", status)
    return status


def _exchange(destination: Destination, body: bytes, headers: Mapping[str, str]) -> int:
    with socket.create_connection((destination.address, destination.port), CONNECT_SECONDS) as plain, _deadline(plain):
        plain.settimeout(READ_SECONDS)
        return _ask(_secured(plain, destination), destination, body, headers)


@contextmanager
def _deadline(opened: socket.socket) -> Iterator[None]:
    """Cut a connection when WHOLE_SECONDS are over, whatever it is doing; raises TimeoutError then."""
    is_late = threading.Event()

    def cut() -> None:
        is_late.set()
        with suppress(OSError):
            copy.shutdown(socket.SHUT_RDWR)

    # A copy, because TLS takes the socket itself over.
    with opened.dup() as copy:
        timer = threading.Timer(WHOLE_SECONDS, cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        except (OSError, http.client.HTTPException):
            if not is_late.is_set():
                raise
        finally:
            timer.cancel()
    # Also where nothing was raised: a head that is cut short reads like a whole one.
    if is_late.is_set():
        raise TimeoutError


def _ask(opened: socket.socket, destination: Destination, body: bytes, headers: Mapping[str, str]) -> int:
    own = {"Host": destination.netloc, "Content-Type": "application/json", "User-Agent": "hokusai-portal"}
    connection = http.client.HTTPConnection(destination.host, destination.port)
    # Already open: its own connect() would look the name up again.
    connection.sock = opened
    try:
        connection.request("POST", destination.target, body, {**own, **headers, "Connection": "close"})
        with connection.getresponse() as answer:
            return answer.status
    finally:
        connection.close()


def _secured(plain: socket.socket, destination: Destination) -> socket.socket:
    if destination.scheme == "http":
        return plain
    context = ssl.create_default_context(cafile=conf.authorities() or None)
    return context.wrap_socket(plain, server_hostname=destination.host)
