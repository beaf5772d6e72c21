"""One light and one sentence for many answers."""

import pytest

from mlflow_proxy.health import lights
from mlflow_proxy.health.answers import Probe, Status

GOOD = Probe("database", "passed", 1.0)


def probe(name: str, status: Status) -> Probe:
    return Probe(name, status, 1.0, reason="R")


@pytest.mark.parametrize(
    ("name", "status", "light"),
    [
        ("mlflow", "failed", "red"),
        ("artifact_store", "failed", "red"),
        ("bucket_versioning", "failed", "amber"),
        ("mlflow", "unknown", "amber"),
        ("artifact_store", "unknown", "amber"),
        ("bucket_public_access", "unknown", "green"),
        ("mlflow", "passed", "green"),
    ],
)
def test_light_is_that_of_the_weightiest_answer(name: str, status: Status, light: str) -> None:
    assert lights.light_of([GOOD, probe(name, status), GOOD]) == light


@pytest.mark.parametrize(
    ("probes", "sentence"),
    [
        ([GOOD], "Artifacts work."),
        ([probe("bucket_public_access", "unknown")], "Artifacts work. 1 question is open."),
        ([probe("bucket_public_access", "unknown")] * 2, "Artifacts work. 2 questions are open."),
        (
            [probe("bucket_encryption", "failed")],
            "Artifacts work. The bucket does not encrypt by default.",
        ),
        (
            [probe("bucket_encryption", "failed"), probe("artifact_store", "failed"), probe("mlflow", "failed")],
            "MLflow does not answer as it should. And 2 more.",
        ),
    ],
)
def test_sentence_says_the_weightiest_first(probes: list[Probe], sentence: str) -> None:
    assert lights.sentence_of(probes) == sentence


@pytest.mark.parametrize(
    ("first", "second", "worst"),
    [("green", "red", "red"), ("amber", "green", "amber"), ("", "green", "green"), ("red", "amber", "red")],
)
def test_worse_of_two_lights(first: str, second: str, worst: str) -> None:
    assert (lights.worse(first, second), lights.worse(second, first)) == (worst, worst)
