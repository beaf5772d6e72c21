"""A TCP proxy before a server of the tests that lets everything pass, or fails all connections in one manner."""

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

from tests.live.processes import free_ports

# refuse: nobody listens; hang: takes connections and bytes, and gives none back; dribble: a byte a second.
Manner = Literal["pass", "refuse", "hang", "dribble"]
PIECE = 64 * 1024
DRIBBLE_SECONDS = 1.0
_RESET = struct.pack("ii", 1, 0)


class Valve:
    """Stands before the server of a URL; ``url`` is the same with the valve's port."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._target = (parts.hostname or "", parts.port or 0)
        (self._port,) = free_ports(1)
        user = f"{parts.username}@" if parts.username else ""
        self.url = urlunsplit(parts._replace(netloc=f"{user}127.0.0.1:{self._port}"))
        self._manner: Manner = "pass"
        self._changed = threading.Condition()
        self._open: set[socket.socket] = set()
        self._listen()

    @contextmanager
    def failing(self, manner: Manner) -> Iterator[None]:
        """Fail in a manner; ``refuse`` also cuts what is open, the others leave it to fall silent."""
        self._manner = manner
        if manner == "refuse":
            self._shut()
        try:
            yield
        finally:
            self.heal()

    def heal(self) -> None:
        """Let everything pass again; what was open under a fault is cut, as a server that restarts does."""
        if self._manner != "pass":
            if self._manner != "refuse":
                self._shut()
            self._manner = "pass"
            self._listen()
        with self._changed:
            self._changed.notify_all()

    @property
    def is_met(self) -> bool:
        """Whether a connection is open."""
        return bool(self._open)

    def end(self) -> None:
        self._manner = "refuse"
        self._shut()

    def _listen(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self._port), backlog=256)
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _shut(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._changed:
            doomed = list(self._open)
            self._changed.notify_all()
        for one in doomed:
            with contextlib.suppress(OSError):
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                one.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
                server = socket.create_connection(self._target, 10)
            except OSError:
                return
            server.settimeout(None)
            self._open |= {client, server}
            for one in (client, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # Whichever of them ends first closes both.
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self._carry, args=(source, sink, sink is client), daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket, is_reply: bool) -> None:
        with contextlib.suppress(OSError):
            while block := source.recv(PIECE):
                if is_reply:
                    self._hold(sink, block)
                else:
                    sink.sendall(block)
        for one in (source, sink):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
            self._open.discard(one)

    def _hold(self, sink: socket.socket, block: bytes) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._manner != "hang" or sink.fileno() < 0, timeout=120)
        while self._manner == "dribble" and block:
            sink.sendall(block[:1])
            block = block[1:]
            time.sleep(DRIBBLE_SECONDS)
        sink.sendall(block)
