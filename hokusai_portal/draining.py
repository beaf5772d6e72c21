"""Lets a server that is told to end stay for a while, so that whoever sends it callers can notice; serves nobody.

Meanwhile /ready is 503, connections are closed after their reply, and new ones are still taken.
"""

import mmap
import signal
from typing import Any

# One byte that the server shares with its workers: made before they are forked.
_told = mmap.mmap(-1, 1)


def is_under_way() -> bool:
    """Return whether this server is about to end."""
    return _told[0] != 0


def begin() -> None:
    _told[0] = 1


def linger(server: Any, seconds: float) -> None:
    """Make the first SIGTERM to a gunicorn server wait for so many seconds; a second one does not."""
    stop = server.handle_term

    def handle_term() -> None:
        server.handle_term = stop
        server.log.info("Taking no more callers: ends in %s s", seconds)
        begin()
        # A timer and no thread: the server may fork a worker meanwhile.
        signal.signal(signal.SIGALRM, lambda *_: server.SIG_QUEUE.put_nowait(signal.SIGTERM))
        signal.setitimer(signal.ITIMER_REAL, seconds)

    server.handle_term = handle_term
