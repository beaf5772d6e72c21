"""What CI does about tests that fail: one more try for a few, none for many, none for a run that broke off."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Stands in for make: fails in each try the tests that the plan names, as pytest would leave it behind.
MAKE = """#!/usr/bin/env python3
import json, os, pathlib, sys
tries = pathlib.Path("tries")
tries.open("a").write(" ".join([*sys.argv[1:], os.environ["PYTEST_ADDOPTS"]]).strip() + "\\n")
ended, failed = json.loads(pathlib.Path("plan").read_text())[len(tries.read_text().splitlines()) - 1]
for name, facts in (("cache/lastfailed", dict.fromkeys(failed, True)), ("hokusai/ended", ended)):
    file = pathlib.Path(".pytest_cache/v", name)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(facts))
sys.exit(2 if ended else 0)
"""
PASSED = [0, []]


@pytest.fixture
def ci(tmp_path):
    """Run CI's tests by a plan of (pytest's exit status, what failed) for each try; return (status, tries, output)."""
    shutil.copy(ROOT / ".ci" / "test", tmp_path)
    make = tmp_path / "bin" / "make"
    make.parent.mkdir()
    make.write_text(MAKE)
    make.chmod(0o755)

    def run(*plan):
        (tmp_path / "plan").write_text(json.dumps(plan))
        facts = os.environ | {"PATH": f"{make.parent}:{os.environ['PATH']}", "PYTEST_ADDOPTS": "-p no:randomly"}
        done = subprocess.run(["sh", "test"], cwd=tmp_path, env=facts, capture_output=True, text=True, check=False)
        return done.returncode, (tmp_path / "tries").read_text().splitlines(), done.stdout

    return run


def test_tests_that_pass_are_not_tried_again(ci):
    assert ci(PASSED) == (0, ["test -p no:randomly"], "")


def test_three_that_fail_are_tried_again_alone_and_aloud(ci):
    status, tries, said = ci([1, ["a", "b", "c"]], PASSED)
    assert (status, tries) == (
        0,
        ["test -p no:randomly", "test -p no:randomly --last-failed --last-failed-no-failures none"],
    )
    assert "FAILED AT FIRST" in said
    assert said.rstrip().endswith("PASSED WHEN TRIED AGAIN, a fault of the test or a race in the portal:\na\nb\nc")


def test_one_that_fails_twice_has_failed(ci):
    status, tries, said = ci([1, ["a"]], [1, ["a"]])
    assert (status != 0, len(tries)) == (True, 2)
    assert "PASSED" not in said


def test_four_that_fail_have_failed(ci):
    status, tries, said = ci([1, ["a", "b", "c", "d"]], PASSED)
    assert (status, len(tries)) == (1, 1)
    assert "4 TESTS FAILED" in said


@pytest.mark.parametrize("ended", [2, 3, 4, 5])
def test_run_that_broke_off_has_failed(ci, ended):
    status, tries, _ = ci([ended, ["a"]], PASSED)
    assert (status != 0, len(tries)) == (True, 1)


@pytest.mark.parametrize(
    ("words", "option", "status"),
    [("assert 0", "-q", 1), ("assert 0", "-x", 2), ("raise KeyboardInterrupt", "-q", 2), ("pass", "-q", 0)],
)
def test_run_leaves_behind_how_it_ended(tmp_path, words, option, status):
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_it.py").write_text(f"def test_it():\n    {words}\n")
    command = [sys.executable, "-m", "pytest", "-p", "tests.ending", "-p", "no:django", "-p", "no:randomly", option]
    facts = {name: text for name, text in os.environ.items() if name != "PYTEST_ADDOPTS"} | {"PYTHONPATH": str(ROOT)}
    subprocess.run(command, cwd=tmp_path, env=facts, check=False, capture_output=True)
    assert (tmp_path / ".pytest_cache/v/hokusai/ended").read_text() == str(status)
