"""The README, run from top to bottom by a newcomer: `make run` in an empty data folder, then what it says to type."""

import os
import re
import signal
import subprocess

import pytest

from tests.docs.documents import ROOT, blocks
from tests.live.processes import CLIENT_PYTHON, SYSTEM_PATH, Program, free_ports

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]

EXPORT = re.compile(r"^ +export (?P<name>MLFLOW_TRACKING_\w+)=(?P<value>\S+)$", re.MULTILINE)


class Newcomer:
    """A shell beside a running `make run`, with the two exports that it printed."""

    def __init__(self, program, url, home):
        self.program = program
        self.url = url
        self.home = home
        exports = dict(EXPORT.findall(program.log.read_text()))
        self.environment = program.environment | exports

    def type(self, line, status=0):
        """Run a line of the README here, on the port of this run; return what it prints."""
        line = line.replace("http://127.0.0.1:8000", self.url).replace("train.py", str(self.home / "train.py"))
        done = subprocess.run(
            ["sh", "-c", line], env=self.environment, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def newcomer(tmp_path_factory):
    if not CLIENT_PYTHON.exists():
        message = f"THE README DID NOT RUN: no MLflow at {CLIENT_PYTHON}: make .venv-mlflow/.installed"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    folder = tmp_path_factory.mktemp("newcomer")
    portal, mlflow = free_ports(2)
    environment = {"PATH": SYSTEM_PATH, "HOME": str(folder), "LANG": "C.UTF-8", "HOKUSAI_DATA_DIR": str(folder / "var")}
    command = [*line_of("make run").split(), f"PORTAL_PORT={portal}", f"MLFLOW_PORT={mlflow}"]
    program = Program("make-run", command, environment, folder)
    program.start()
    try:
        program.wait_until(lambda: "Ctrl-C stops all three" in program.log.read_text())
        yield Newcomer(program, f"http://127.0.0.1:{portal}", folder)
    finally:
        program.end(signal.SIGINT, patience=60)


def lines():
    return [line for body in blocks("README.md", "bash") for line in body.splitlines()]


def line_of(sign):
    """The first line of the README's shell blocks that holds the sign."""
    return next(line for line in lines() if sign in line)


def test_make_run_prints_the_two_exports_of_the_readme(newcomer):
    printed = dict(EXPORT.findall(newcomer.program.log.read_text()))
    assert printed["MLFLOW_TRACKING_URI"] == f"{newcomer.url}/api/mlflow"
    assert set(printed) == {line.split()[1].split("=")[0] for line in lines() if line.startswith("export MLFLOW")}


def test_make_run_prints_the_password_once(newcomer):
    assert (
        len(re.findall(r"^  Password +\S+ +\(shown this once\)$", newcomer.program.log.read_text(), re.MULTILINE)) == 1
    )


def test_training_script_prints_what_the_readme_says(newcomer):
    (newcomer.home / "train.py").write_text(*blocks("README.md", "python"))
    assert newcomer.type(line_of("train.py")).splitlines()[-1] == "[21.]"


def test_curl_answers_with_a_list(newcomer):
    answer = newcomer.type(
        line_of("export HOKUSAI_API_KEY") + "\n" + line_of("curl").replace("curl", "curl -sS --fail")
    )
    assert '"files"' in answer


def test_verify_registry_passes(newcomer):
    assert "All good" in newcomer.type(line_of("verify_registry"))


def test_key_lives_through_the_commands_of_the_readme(newcomer):
    newcomer.type(line_of("--scope"))
    issued = newcomer.type(line_of("--preset contributor"))
    public_id = re.search(r"hk_live_\w{12}\b", issued)[0]
    assert public_id in newcomer.type(line_of("list_keys"))
    rotated = newcomer.type(line_of("rotate_key").replace("hk_live_ID", public_id))
    assert re.search(rf"replaces +{public_id}$", rotated, re.MULTILINE)
    assert "is revoked" in newcomer.type(line_of("revoke_key").replace("hk_live_ID", public_id))
    assert public_id not in newcomer.type(line_of("list_keys"))
