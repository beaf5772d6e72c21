"""gunicorn's threaded worker, which ends without failing a caller, and its logger, which knows of no request.

How requests are served is gunicorn's business.
"""

from concurrent.futures import Future
from socket import socket

from gunicorn.glogging import Logger
from gunicorn.workers.gthread import TConn, ThreadWorker

from hokusai_portal import draining


class PortalLogger(Logger):  # type: ignore[misc]  # gunicorn carries no types
    """Says what becomes of the server. Of requests the portal's own line tells.

    With any logging configured, gunicorn 27.0.1 gathers twenty facts of each request, whether or not they are shown.
    """

    access_log_enabled = False


class PortalWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn carries no types
    """A worker that is told to end and still waits for every request under way."""

    nr_conns: int
    _max_keepalived = 0

    @property
    def max_keepalived(self) -> int:
        """How many idle connections it keeps: none while the server drains, so that every reply says so."""
        return 0 if draining.is_under_way() else self._max_keepalived

    @max_keepalived.setter
    def max_keepalived(self, number: int) -> None:
        self._max_keepalived = number

    def finish_request(self, conn: TConn, fs: Future[object]) -> None:
        """Count a connection down once.

        gunicorn 27.0.1 does so twice after a reply that broke off. A worker that believes to have no connection left
        ends at once, and fails uploads that still want a thread.
        """
        before = self.nr_conns
        super().finish_request(conn, fs)
        self.nr_conns = max(self.nr_conns, before - 1)

    def set_accept_enabled(self, enabled: bool) -> None:
        """Take no more connections; at the end of the worker, those that wait are taken first, and the door is shut.

        gunicorn 27.0.1 keeps it ajar until the last request has ended: who comes meanwhile waits, and is cut off.
        """
        super().set_accept_enabled(enabled)
        if not enabled and not self.alive:
            for listener in self.sockets:
                while self._is_one_taken(listener):
                    pass
                listener.close()

    def _is_one_taken(self, listener: socket) -> bool:
        before = self.nr_conns
        self.accept(listener)
        return self.nr_conns > before
