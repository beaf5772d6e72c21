"""The worker's count of its open connections: it decides how long a worker that is told to end waits."""

import socket
from concurrent.futures import Future
from types import SimpleNamespace

import pytest
from gunicorn.config import Config
from gunicorn.workers.gthread import TConn

from hokusai_portal.gunicorn_worker import PortalWorker


@pytest.fixture
def worker():
    log = SimpleNamespace(close_on_exec=lambda: None)
    worker = PortalWorker(1, 0, [], SimpleNamespace(), 30, Config(), log)
    worker.nr_conns = 3
    yield worker
    worker.tmp.close()


@pytest.fixture
def connection():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield TConn(Config(), ours, ("127.0.0.1", 1), ("127.0.0.1", 2))


def finish(worker, connection):
    is_kept_alive = Future()
    is_kept_alive.set_result(False)
    worker.finish_request(connection, is_kept_alive)


def test_connection_that_ends_is_counted_down_once(worker, connection):
    finish(worker, connection)
    assert worker.nr_conns == 2


def test_connection_that_broke_off_is_counted_down_once(worker, connection):
    # As gunicorn leaves it after a reply that raised in the middle.
    connection.sock.close()
    finish(worker, connection)
    assert worker.nr_conns == 2
