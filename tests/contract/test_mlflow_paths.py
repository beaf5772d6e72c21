"""The portal's reading of artifact paths against MLflow's own: what the portal decides on is what MLflow opens."""

import json
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlflow_proxy import parameters, routes, targets
from mlflow_proxy.exceptions import ProxyError

ROOT = Path(__file__).resolve().parent.parent.parent
PREFIX = "/api/2.0/mlflow-artifacts/artifacts/"
BATCH = 2500
# What URLs, files and decoders read in more than one way, in the spellings of a URL; and names that they end in.
TOKENS = [
    *("0", "run", "artifacts", "a", "models", "workspaces", "default", "other", "A:", "file:", "FILE:", "http:", "C:"),
    *("/", "/", "/", "//", ".", "..", "...", "%2e", "%2E%2e", "%252e%252e", "%2f", "%252f", "%255c", "%5c", "\\"),
    *(
        "%20",
        "+",
        ";",
        "%3B",
        "%3b",
        "%3F",
        "%23",
        "%2523",
        "&",
        "=",
        "@",
        "~",
        "[",
        "]",
        "%5B",
        "'",
        "*",
        "$",
        ",",
        "!",
    ),
    *("%25", "%2525", "%", "%zz", "%41", "%2541", "%00", "%0a", "%0D", "%09", "%7f", "%1f", "%C2%85", "%C2%A0"),
    *("%C3%BC", "\xc3\xbc", "%ff", "%C3", "%E2%80%AE", "%EF%BC%8F", "%E3%80%82", "%E2%84%AA", "%F0%9F%98%80"),
]
SPELLINGS = st.lists(st.sampled_from(TOKENS), min_size=1, max_size=9).map("".join)
RUNS = st.builds("0/run/artifacts/{}".format, SPELLINGS)


@pytest.fixture(scope="module")
def spellings() -> list[str]:
    """Spellings that Hypothesis makes, none twice."""
    found: dict[str, None] = {}

    @settings(
        max_examples=2 * BATCH, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    @given(st.one_of(SPELLINGS, RUNS))
    def collect(raw: str) -> None:
        found[raw] = None

    collect()
    return list(found)


@pytest.fixture(scope="module")
def readings(spellings: list[str]) -> list[tuple[str, str | None, str | None]]:
    """Each spelling with the path that the portal decides on, and the one that MLflow opens; None is a refusal."""
    python = ROOT / ".venv-mlflow" / "bin" / "python"
    ran = subprocess.run(
        [python, "-W", "ignore", Path(__file__).with_name("mlflow_paths.py")],
        input=json.dumps(spellings),
        capture_output=True,
        check=True,
        text=True,
        env={"MLFLOW_DISABLE_TELEMETRY": "true", "PATH": "/usr/bin:/bin"},
    )
    theirs = json.loads(ran.stdout)
    return [(raw, decided(raw), opened) for raw, opened in zip(spellings, theirs, strict=True)]


def decided(raw: str) -> str | None:
    """Return the path that the portal decides on, None when it refuses."""
    try:
        target = targets.parse(f"{PREFIX}{raw}")
        parameters.check_target(target, routes.find("GET", target.segments), None)
    except ProxyError:
        return None
    return "/".join(target.segments[4:])


def test_batch_is_large_and_holds_both_answers(readings: list[tuple[str, str | None, str | None]]) -> None:
    assert len(readings) >= 2000
    assert 200 <= sum(path is not None for _, path, _ in readings) <= len(readings) - 200


def test_path_that_the_portal_accepts_is_the_one_that_mlflow_opens(
    readings: list[tuple[str, str | None, str | None]],
) -> None:
    differing = [
        (raw, path, opened) for raw, path, opened in readings if path is not None and opened not in {path, None}
    ]
    assert differing == []


def test_two_spellings_of_one_path_are_refused_or_decided_equal(
    readings: list[tuple[str, str | None, str | None]],
) -> None:
    decisions = defaultdict(set)
    for _, path, opened in readings:
        if path is not None and opened is not None:
            decisions[opened].add(path)
    assert {opened: paths for opened, paths in decisions.items() if len(paths) > 1} == {}


def test_path_that_leads_up_in_mlflow_s_eyes_is_refused_by_the_portal(
    readings: list[tuple[str, str | None, str | None]],
) -> None:
    """MLflow refuses it too; the portal does so first and without a call."""
    climbing = [raw for raw, path, _ in readings if path is not None and ".." in path.split("/")]
    assert climbing == []
