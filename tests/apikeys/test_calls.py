"""Finished calls: every receiver is told, and none can keep a call from the others."""

import pytest
from structlog.testing import capture_logs

from apikeys import calls

CALL = calls.FinishedCall("platform", "hk_live_x", "metadata", "GET", 200, "", 0, 2, 0.01, "curl/8")


@pytest.fixture
def told(monkeypatch):
    told = []
    monkeypatch.setattr(calls, "receivers", [told.append])
    return told


def test_tell_hands_the_call_to_every_receiver(told):
    also_told = []
    calls.receivers.append(also_told.append)
    calls.tell(CALL)
    assert told == also_told == [CALL]


def test_tell_receiver_that_fails_is_logged_and_keeps_nothing_from_the_others(told):
    def fail(call):
        raise RuntimeError

    calls.receivers.insert(0, fail)
    with capture_logs() as logs:
        calls.tell(CALL)
    assert told == [CALL]
    assert [line["event"] for line in logs] == ["call_not_counted"]
