"""A client from outside: sends one request at a time with a key, follows nothing, and names what broke on the way."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import requests

from mlflow_proxy import conf
from mlflow_proxy.health.answers import Outcome, failed
from mlflow_proxy.health.diagnosis import Reply

CONNECT_SECONDS, READ_SECONDS = 10.0, 120.0
PIECE = 256 * 1024
MAXIMUM_BYTES = 64 * 1024


class HopFailedError(Exception):
    """A hop has failed; carries what is to be told of it."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.reason)
        self.outcome = outcome


class Content(Protocol):
    """Bytes to send: their number, and what of it has gone out."""

    sent: int

    def __len__(self) -> int: ...
    def read(self, size: int = -1) -> bytes: ...


class Visitor:
    """Talks to a portal as a client does, with nothing but the key and nothing of this machine's environment."""

    def __init__(self, key: str) -> None:
        self._session = requests.Session()
        self._session.trust_env = False
        self._credential = {"Authorization": f"Bearer {key}"}

    def close(self) -> None:
        self._session.close()

    def ask(self, method: str, url: str, *, with_key: bool = True, **more: Any) -> Reply:
        """Return the reply with the beginning of its body; raises HopFailedError."""
        content = more.get("data")
        with self.open(method, url, with_key=with_key, **more) as reply:
            return Reply(reply.status_code, reply.headers, _beginning(reply), getattr(content, "sent", 0))

    def stream(self, url: str, *, with_key: bool = True, on_piece: Callable[[bytes], None]) -> Reply:
        """Hand the body of a good reply to ``on_piece``; return the reply, with its body unless it was good."""
        with self.open("GET", url, with_key=with_key) as reply:
            if reply.status_code != requests.codes.ok or _is_page(reply):
                return Reply(reply.status_code, reply.headers, _beginning(reply))
            for piece in reply.iter_content(PIECE):
                on_piece(piece)
            return Reply(reply.status_code, reply.headers, b"")

    @contextmanager
    def open(self, method: str, url: str, *, with_key: bool, **more: Any) -> Iterator[requests.Response]:
        headers = {"Accept-Encoding": "identity", **(self._credential if with_key else {}), **more.pop("headers", {})}
        try:
            with self._session.request(
                method,
                url,
                headers=headers,
                timeout=(CONNECT_SECONDS, READ_SECONDS),
                allow_redirects=False,
                stream=True,
                verify=conf.authorities(),
                **more,
            ) as reply:
                yield reply
        except requests.RequestException as error:
            raise HopFailedError(_named(error)) from None


def _beginning(reply: requests.Response) -> bytes:
    return next(reply.iter_content(MAXIMUM_BYTES), b"")


def _is_page(reply: requests.Response) -> bool:
    return reply.headers.get("Content-Type", "").startswith("text/html")


def _named(error: requests.RequestException) -> Outcome:
    if isinstance(error, requests.ConnectTimeout):
        return failed("CONNECTION_TIMED_OUT", type(error).__name__, "Nothing answers: security group or firewall.")
    # While a body is read, requests calls a timeout a connection error.
    if isinstance(error, requests.Timeout) or "Read timed out" in str(error):
        hint = "The call was taken and not answered: see the portal's load, and the timeouts of what stands before it."
        return failed("ANSWER_TIMED_OUT", f"no byte for {READ_SECONDS:.0f} s", hint)
    if isinstance(error, requests.exceptions.SSLError):
        return failed("TLS_INVALID", type(error).__name__, "See the certificate of the front proxy.")
    if "Connection refused" in str(error):
        return failed("CONNECTION_REFUSED", type(error).__name__, "Nothing listens there.")
    hint = (
        "The connection was cut under way: by a proxy's limit or timeout, or by a restart. The logs of both say more."
    )
    return failed("SHORT_BODY", type(error).__name__, hint)
