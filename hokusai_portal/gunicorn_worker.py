"""gunicorn's threaded worker, which counts its connections right; how requests are served is gunicorn's business."""

from concurrent.futures import Future

from gunicorn.workers.gthread import TConn, ThreadWorker


class PortalWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn carries no types
    """A worker that is told to end and still waits for every request under way."""

    nr_conns: int

    def finish_request(self, conn: TConn, fs: Future[object]) -> None:
        """Count a connection down once.

        gunicorn 27.0.1 does so twice after a reply that broke off. A worker that believes to have no connection left
        ends at once, and fails uploads that still want a thread.
        """
        before = self.nr_conns
        super().finish_request(conn, fs)
        self.nr_conns = max(self.nr_conns, before - 1)
