"""A worker that is told to end ends what it has begun, whatever became of earlier replies."""

import http.client
import os
import signal
import socket
import time

import pytest

from tests.mlflow_proxy.portal import Home, running
from tests.mlflow_proxy.stub import Stub, ok
from tests.mlflow_proxy.wire import FILES, call, head, status_of

CONTENT = bytes(300_000)


def test_worker_told_to_end_waits_for_an_upload_after_replies_that_broke_off(home: Home, upstream: Stub) -> None:
    with running(home, upstream, "drained") as portal:
        upstream.reply(ok(CONTENT)[:-1], then="close")
        for _ in range(3):
            with pytest.raises((http.client.IncompleteRead, ConnectionError)):
                call(portal, "GET", f"{FILES}/0/run/artifacts/a.bin")
        upstream.reply(ok())
        upload = head(portal, f"PUT {FILES}/0/run/artifacts/b.bin HTTP/1.1", f"Content-Length: {len(CONTENT)}")
        (worker,) = portal.worker_pids
        with socket.create_connection(("127.0.0.1", portal.port), 30) as connection:
            connection.sendall(upload + CONTENT[:1000])
            upstream.wait(lambda: any(seen.method == "PUT" for seen in upstream.seen))
            os.kill(worker, signal.SIGTERM)
            # Time enough for a worker that waits for nobody.
            time.sleep(1)
            assert "Worker exiting" not in portal.log
            connection.sendall(CONTENT[1000:])
            assert status_of(connection.recv(65536)) == 200
