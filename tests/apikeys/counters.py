"""Fresh counters for tests of limits: they live in the process and would outlive a test."""

from collections import Counter

import pytest

from apikeys import failures, pacing
from apikeys.throttling import ConcurrencyThrottle


@pytest.fixture
def fresh_counters(monkeypatch):
    monkeypatch.setattr(failures, "_pace", pacing.Pace(""))
    monkeypatch.setattr(failures, "_good", {})
    monkeypatch.setattr(ConcurrencyThrottle, "_open", Counter())
    pacing.shared.cache_clear()
    yield
    pacing.shared.cache_clear()
