"""The composition: what is plugged in where."""

from apikeys import calls, usage
from mlflow_proxy import metrics


def test_finished_calls_are_told_to_the_counters():
    assert calls.receivers == [metrics.count, usage.record_call]
