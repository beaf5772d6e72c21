"""The worker's count of its open connections: it decides how long a worker that is told to end waits."""

import selectors
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


def test_worker_that_ends_takes_who_waits_and_shuts_the_door(worker, monkeypatch):
    taken = []
    monkeypatch.setattr(worker, "enqueue_req", taken.append)
    worker.poller = selectors.DefaultSelector()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        worker.sockets, address = [listener], listener.getsockname()
        worker.set_accept_enabled(True)
        waiting = [socket.create_connection(address) for _ in range(3)]
        worker.alive = False
        worker.set_accept_enabled(False)
        assert [connection.client for connection in taken] == [one.getsockname() for one in waiting]
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address)
    for one in (*waiting, *(connection.sock for connection in taken), worker.poller):
        one.close()


def test_worker_that_is_full_keeps_its_door(worker):
    worker.poller = selectors.DefaultSelector()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        worker.sockets = [listener]
        worker.set_accept_enabled(True)
        worker.set_accept_enabled(False)
        socket.create_connection(listener.getsockname()).close()
    worker.poller.close()
