"""Runs the stock MLflow client in its own environment, where it knows a tracking URI, a key and nothing else."""

import json
import os
import subprocess
import tempfile
import textwrap
from pathlib import Path
from typing import Any

from tests.live.processes import CLIENT_PYTHON, SYSTEM_PATH
from tests.live.stack import Portal

PRELUDE = """
import json, os, pathlib, sys, warnings
warnings.simplefilter("ignore")
here, result = pathlib.Path.cwd(), {}
def told(error):
    return f"{type(error).__name__}: {error}"
import mlflow
from mlflow import MlflowClient
"""
EPILOGUE = """
pathlib.Path(sys.argv[1]).write_text(json.dumps(result, default=str))
"""


def environment(uri: str, home: str | Path, **changes: str | None) -> dict[str, str]:
    """Return the whole environment of a client; None takes a variable away."""
    variables: dict[str, str | None] = {
        "PATH": f"{CLIENT_PYTHON.parent}{os.pathsep}{SYSTEM_PATH}",
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "MLFLOW_TRACKING_URI": uri,
    }
    return {name: value for name, value in (variables | changes).items() if value is not None}


def start_client(script: str, home: Path, variables: dict[str, str]) -> subprocess.Popen[str]:
    """Start a script with MLflow imported; whatever it puts into ``result`` lands in ``home/result.json``."""
    program = home / "script.py"
    program.write_text(PRELUDE + textwrap.dedent(script) + EPILOGUE)
    return subprocess.Popen(
        [CLIENT_PYTHON, program, home / "result.json"],
        env=variables,
        cwd=home,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )


def run_client(script: str, portal: Portal | str, key: str | None, **changes: str | None) -> Any:
    """Run a script to its end and return its ``result``; raises AssertionError with its output when it fails."""
    uri = portal if isinstance(portal, str) else portal.tracking_uri
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        netrc = changes.pop("netrc", None)
        if netrc is not None:
            (home / ".netrc").write_text(netrc)
            (home / ".netrc").chmod(0o600)
        process = start_client(script, home, environment(uri, home, **({"MLFLOW_TRACKING_TOKEN": key} | changes)))
        output = process.communicate(timeout=540)[0]
        assert process.returncode == 0, f"the client ended with status {process.returncode}\n{output[-6000:]}"
        return json.loads((home / "result.json").read_text())
