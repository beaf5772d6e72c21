"""A server that is told to end: what it says meanwhile, and that a second word ends it at once."""

import mmap
import queue
import signal
from types import SimpleNamespace

import pytest

from hokusai_portal import draining
from mlflow_proxy.health import readiness
from tests.hokusai_portal.test_gunicorn_worker import worker  # noqa: F401  (a fixture)


@pytest.fixture(autouse=True)
def _own_byte(monkeypatch):
    monkeypatch.setattr(draining, "_told", mmap.mmap(-1, 1))


@pytest.fixture
def server(monkeypatch):
    """A gunicorn server with an alarm clock that a test rings."""
    rung, stopped = [], []
    monkeypatch.setattr(signal, "signal", lambda _number, handler: rung.append(handler))
    monkeypatch.setattr(signal, "setitimer", lambda _which, seconds: rung.append(seconds))
    log = SimpleNamespace(info=lambda *_words: None)
    return SimpleNamespace(
        handle_term=lambda: stopped.append(True), log=log, SIG_QUEUE=queue.SimpleQueue(), rung=rung, stopped=stopped
    )


def test_first_word_says_that_the_server_drains_and_does_not_end_it(server):
    draining.linger(server, 5)
    server.handle_term()
    assert draining.is_under_way()
    assert server.stopped == []


def test_alarm_ends_the_server(server):
    draining.linger(server, 5)
    server.handle_term()
    ring, seconds = server.rung
    assert seconds == 5
    ring(signal.SIGALRM, None)
    assert server.SIG_QUEUE.get_nowait() == signal.SIGTERM
    server.handle_term()
    assert server.stopped == [True]


def test_ready_says_that_the_server_drains_and_asks_nothing(portal, forbid):
    forbid(readiness, "probe_all")
    draining.begin()
    reply = portal.get("/ready")
    assert (reply.status_code, reply.json()) == (503, {"ready": False, "draining": True, "checks": []})


def test_health_does_not_change_while_the_server_drains(portal):
    draining.begin()
    assert portal.get("/live").status_code == 200


def test_worker_keeps_no_connection_while_the_server_drains(worker):  # noqa: F811
    assert worker.max_keepalived > 0
    draining.begin()
    assert worker.max_keepalived == 0
