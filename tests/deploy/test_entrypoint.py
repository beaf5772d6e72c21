"""MLflow's entrypoint: what it refuses, what it hands to MLflow, and what it never says."""

import subprocess
from pathlib import Path

import pytest

from tests.live.processes import CLIENT_PYTHON, ROOT, free_ports

ENTRYPOINT = ROOT / "deploy" / "mlflow" / "entrypoint.sh"
WORD = "word-of-nobody"
DATABASE = f"postgresql://mlflow:{WORD}@db.example.org:5432/mlflow"
GOOD = {"BACKEND_STORE_URI": DATABASE, "DEFAULT_ARTIFACT_ROOT": "s3://bucket/prefix"}
USAGE = 64


@pytest.fixture
def start(tmp_path):
    """Run the entrypoint before an `mlflow` that shows its arguments and environment, and a database that is there."""
    for name, script in {"mlflow": 'printf "%s\\n" "$@"; env', "python": 'echo "python $*"'}.items():
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)

    def run(*arguments, **environment):
        environment |= {"PATH": f"{tmp_path}:/usr/bin:/bin"}
        command = ["sh", ENTRYPOINT, *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    return run


def flag(done, name):
    assert done.returncode == 0, done.stderr
    words = done.stdout.splitlines()
    return words[words.index(name) + 1]


def variable(done, name):
    (found,) = (line.partition("=")[2] for line in done.stdout.splitlines() if line.startswith(f"{name}="))
    return found


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"BACKEND_STORE_URI": ""}, "BACKEND_STORE_URI is empty"),
        ({"BACKEND_STORE_URI": "sqlite:///mlflow.db"}, "BACKEND_STORE_URI is SQLite"),
        ({"BACKEND_STORE_URI": "/data/mlruns"}, "not a database URI"),
        ({"BACKEND_STORE_URI": "http://mlflow:5000"}, "not a database URI"),
        ({"DEFAULT_ARTIFACT_ROOT": ""}, "DEFAULT_ARTIFACT_ROOT is empty"),
        ({"DEFAULT_ARTIFACT_ROOT": "/data/artifacts"}, "a folder on this machine"),
        ({"DEFAULT_ARTIFACT_ROOT": "./mlruns"}, "a folder on this machine"),
        ({"DEFAULT_ARTIFACT_ROOT": "file:///data"}, "a folder on this machine"),
        ({"DEFAULT_ARTIFACT_ROOT": "mlflow-artifacts:/"}, "names a server, not a store"),
        ({"DEFAULT_ARTIFACT_ROOT": "https://store.example.org"}, "names a server, not a store"),
        ({"MLFLOW_BACKEND_STORE_URI": "postgresql://other/mlflow"}, "both set and differ"),
        ({"MLFLOW_ARTIFACTS_DESTINATION": "s3://other"}, "both set and differ"),
    ],
)
def test_entrypoint_with_what_would_be_lost_or_differs_refuses(start, changed, complaint):
    done = start(**GOOD | changed)
    assert done.returncode == USAGE
    assert complaint in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("name", ["HOKUSAI_ENVIRONMENT", "ENVIRONMENT"])
def test_entrypoint_in_development_accepts_a_machine_of_ones_own(start, name):
    local = {"BACKEND_STORE_URI": "sqlite:////data/mlflow.db", "DEFAULT_ARTIFACT_ROOT": "/data/artifacts"}
    done = start(**local, **{name: "development"})
    assert variable(done, "MLFLOW_ARTIFACTS_DESTINATION") == "/data/artifacts"


@pytest.mark.parametrize(
    "environment",
    [
        GOOD,
        {"MLFLOW_BACKEND_STORE_URI": DATABASE, "MLFLOW_ARTIFACTS_DESTINATION": "s3://bucket/prefix"},
        GOOD | {"MLFLOW_BACKEND_STORE_URI": DATABASE},
    ],
)
def test_entrypoint_takes_either_name(start, environment):
    done = start(**environment)
    assert variable(done, "MLFLOW_BACKEND_STORE_URI") == DATABASE.replace("postgresql:", "postgresql+psycopg2:")
    assert variable(done, "MLFLOW_ARTIFACTS_DESTINATION") == "s3://bucket/prefix"


def test_entrypoint_gives_clients_the_address_behind_the_portal(start):
    done = start(**GOOD)
    assert flag(done, "--default-artifact-root") == "mlflow-artifacts:/"
    assert "--serve-artifacts" in done.stdout.splitlines()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://mlflow:5000", ["mlflow:5000", "mlflow"]),
        ("http://mlflow.internal", ["mlflow.internal", "mlflow.internal"]),
        ("http://[::1]:5000/", ["[::1]:5000", "[::1]"]),
    ],
)
def test_entrypoint_accepts_the_host_that_the_portal_sends_with_and_without_port(start, url, expected):
    done = start(**GOOD, MLFLOW_SERVER_URL=url)
    assert flag(done, "--allowed-hosts").split(",") == [*expected, "localhost:5000", "127.0.0.1:5000"]


def test_entrypoint_keeps_further_hosts(start):
    done = start(**GOOD, MLFLOW_SERVER_URL="http://mlflow:5000", MLFLOW_SERVER_ALLOWED_HOSTS="other:1")
    assert flag(done, "--allowed-hosts").endswith(",other:1")


def test_entrypoint_switches_jobs_gateway_and_telemetry_off(start):
    done = start(**GOOD, MLFLOW_SERVER_ENABLE_JOB_EXECUTION="true", MLFLOW_DISABLE_TELEMETRY="false")
    assert variable(done, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION") == "false"
    assert variable(done, "MLFLOW_ENABLE_AI_GATEWAY") == "false"
    assert variable(done, "MLFLOW_DISABLE_TELEMETRY") == "true"


def test_entrypoint_starts_two_workers_unless_told_otherwise(start):
    assert flag(start(**GOOD), "--workers") == "2"
    assert flag(start(**GOOD, MLFLOW_WORKERS="5"), "--workers") == "5"


def test_entrypoint_static_prefix_may_be_empty(start):
    assert flag(start(**GOOD), "--static-prefix") == "/mlflow"
    assert "--static-prefix" not in start(**GOOD, MLFLOW_STATIC_PREFIX="").stdout


def test_entrypoint_passes_further_arguments_on(start):
    assert flag(start("--expose-prometheus", "/tmp/m", **GOOD), "--expose-prometheus") == "/tmp/m"


def test_entrypoint_drops_what_steers_a_client(start):
    assert "MLFLOW_TRACKING_URI=" not in start(**GOOD, MLFLOW_TRACKING_URI="https://registry.example.org").stdout


@pytest.mark.parametrize(
    "changed", [{}, {"DEFAULT_ARTIFACT_ROOT": f"s3://user:{WORD}@bucket"}, {"BACKEND_STORE_URI": WORD}]
)
def test_entrypoint_says_no_password(start, changed):
    assert WORD not in start(**GOOD | changed).stderr


def test_entrypoint_waits_for_the_database_before_it_starts(start):
    assert start(**GOOD).stdout.startswith(f"python {ENTRYPOINT.parent}/database.py wait 60\nserver\n")


def test_entrypoint_upgrades_on_demand_alone(start):
    done = start("upgrade-database", **GOOD)
    assert done.stdout.splitlines()[1:] == [f"python {ENTRYPOINT.parent}/database.py upgrade"]


@pytest.mark.skipif(not CLIENT_PYTHON.exists(), reason="no MLflow: make .venv-mlflow/.installed")
def test_database_that_never_answers_ends_the_start_without_its_password(tmp_path: Path):
    (port,) = free_ports(1)
    uri = f"postgresql+psycopg2://mlflow:{WORD}@127.0.0.1:{port}/mlflow"
    command = [CLIENT_PYTHON, ENTRYPOINT.with_name("database.py"), "wait", "0"]
    environment = {"MLFLOW_BACKEND_STORE_URI": uri, "HOME": str(tmp_path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 69
    assert "did not answer for 0 s" in done.stderr
    assert WORD not in done.stdout + done.stderr
