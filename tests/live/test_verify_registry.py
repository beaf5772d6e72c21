"""The command that proves a deployment passes on a good one, and says what is wrong with a bad one."""

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.live.conftest import Stack
from tests.live.processes import free_ports

pytestmark = pytest.mark.live

Done = subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def verified(stack: Stack) -> dict[str, Done]:
    """Run the command against good and bad, side by side: most of its time goes to importing libraries."""
    local, s3, directs = stack.local, stack.s3, (stack.local_direct, stack.s3_direct)
    nobody = f"http://127.0.0.1:{free_ports(1)[0]}"
    cases = {
        "local": (local, local.url, local.key(), "--json"),
        "s3": (s3, s3.url, s3.key(), "--json"),
        "local, direct": (directs[0], directs[0].url, local.key(), "--json"),
        "s3, direct": (directs[1], directs[1].url, s3.key(), "--json"),
        "contributor": (local, local.url, local.key("contributor"), "--json"),
        "reader": (local, local.tracking_uri, local.key("reader"), "--json"),
        "nobody": (local, nobody, local.key(), "--json"),
        "bad key": (local, local.url, "nonsense"),
        "no key": (local, local.url, ""),
    }
    with ThreadPoolExecutor(2) as pool:
        runs = {
            name: pool.submit(portal.try_manage, "verify_registry", "--url", url, *more, HOKUSAI_API_KEY=key)
            for name, (portal, url, key, *more) in cases.items()
        }
        return {name: run.result() for name, run in runs.items()}


def failed_steps(done: Done) -> list[str]:
    return [step["step"] for step in json.loads(done.stdout)["steps"] if step["state"] == "failed"]


@pytest.mark.parametrize("which", ["local", "s3", "local, direct", "s3, direct"])
def test_good_portal_passes_every_step(verified: dict[str, Done], which: str) -> None:
    document: dict[str, Any] = json.loads(verified[which].stdout)
    assert (verified[which].returncode, document["passed"]) == (0, True), document
    assert {step["state"] for step in document["steps"]} == {"passed"}
    names = {step["step"] for step in document["steps"]}
    assert {"log model", "register model", "load model", "download", "clean up"} <= names


def test_contributor_passes_and_is_told_what_stays_behind(verified: dict[str, Done]) -> None:
    steps = {step["step"]: step["state"] for step in json.loads(verified["contributor"].stdout)["steps"]}
    assert verified["contributor"].returncode == 0, verified["contributor"].stdout
    assert {steps.pop("set alias"), steps.pop("clean up")} == {"left"}
    assert set(steps.values()) == {"passed"}


def test_reader_fails_at_the_first_write_and_is_told_the_scope(verified: dict[str, Done]) -> None:
    assert verified["reader"].returncode == 1
    assert failed_steps(verified["reader"]) == ["create experiment"]
    assert "mlflow:write" in json.loads(verified["reader"].stdout)["steps"][-1]["detail"]


def test_portal_that_is_not_there_fails_the_first_step(verified: dict[str, Done]) -> None:
    assert verified["nobody"].returncode == 1
    assert failed_steps(verified["nobody"]) == ["portal is ready"]


def test_key_that_is_not_accepted_fails_the_first_call(verified: dict[str, Done]) -> None:
    assert verified["bad key"].returncode == 1
    assert "✗ search experiments" in verified["bad key"].stdout
    assert "UNAUTHENTICATED" in verified["bad key"].stdout


def test_no_key_is_a_sentence_and_no_step(verified: dict[str, Done]) -> None:
    assert (verified["no key"].returncode, verified["no key"].stdout) == (2, "")
    assert "HOKUSAI_API_KEY" in verified["no key"].stderr


def test_failure_never_shows_a_traceback(verified: dict[str, Done]) -> None:
    assert not [name for name, done in verified.items() if "Traceback" in done.stderr]
