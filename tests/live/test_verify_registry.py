"""The command that proves a deployment passes on a good one, and says what is wrong with a bad one."""

import json
from typing import Any

import pytest

from tests.live.processes import free_ports
from tests.live.stack import Portal

pytestmark = pytest.mark.live


def verify(portal: Portal, url: str, preset: str = "operator") -> tuple[int, dict[str, Any]]:
    done = portal.try_manage("verify_registry", "--url", url, "--json", HOKUSAI_API_KEY=portal.key(preset))
    assert "Traceback" not in done.stderr
    return done.returncode, json.loads(done.stdout)


def failed_steps(document: dict[str, Any]) -> list[str]:
    return [step["step"] for step in document["steps"] if step["state"] == "failed"]


def test_good_portal_passes_every_step(portal: Portal) -> None:
    status, document = verify(portal, portal.url)
    assert (status, document["passed"], failed_steps(document)) == (0, True, [])
    assert {step["state"] for step in document["steps"]} == {"passed"}
    names = {step["step"] for step in document["steps"]}
    assert {"log model", "register model", "load by alias", "download", "clean up"} <= names


def test_tracking_uri_is_taken_as_well_and_a_reader_is_told_the_step_and_the_scope(local: Portal) -> None:
    status, document = verify(local, local.tracking_uri, "reader")
    assert (status, document["passed"], failed_steps(document)) == (1, False, ["create experiment"])
    assert "mlflow:write" in document["steps"][-1]["detail"]


def test_portal_that_is_not_there_fails_the_first_step(local: Portal) -> None:
    status, document = verify(local, f"http://127.0.0.1:{free_ports(1)[0]}")
    assert (status, failed_steps(document)) == (1, ["portal is ready"])


def test_key_that_is_not_accepted_fails_the_first_call(local: Portal) -> None:
    done = local.try_manage("verify_registry", "--url", local.url, HOKUSAI_API_KEY="nonsense")
    assert done.returncode == 1
    assert "✗ search experiments" in done.stdout
    assert "UNAUTHENTICATED" in done.stdout


def test_no_key_is_a_sentence_and_no_step(local: Portal) -> None:
    done = local.try_manage("verify_registry", "--url", local.url)
    assert (done.returncode, done.stdout) == (1, "")
    assert "HOKUSAI_API_KEY" in done.stderr
