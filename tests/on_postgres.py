"""Runs the unit tests on a PostgreSQL of their own, or on that of TEST_DATABASE_URL: `make test-postgres`.

The live tests are left out: their servers are on PostgreSQL anyway. So are the browser's, which are about pages.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.live.processes import ROOT
from tests.live.stack import ComponentMissingError, Database

FOLDERS = ("tests/apikeys", "tests/mlflow_proxy", "tests/hokusai_portal")


def main(arguments: list[str]) -> int:
    """Return pytest's exit code."""
    with tempfile.TemporaryDirectory(prefix="hokusai-postgres-") as folder:
        database = Database(Path(folder))
        try:
            database.start()
            variables = os.environ | {"TEST_DATABASE_URL": database.base}
            folders = () if any(one.startswith("tests/") for one in arguments) else FOLDERS
            command = [sys.executable, "-m", "pytest", *arguments, *folders]
            return subprocess.run(command, env=variables, cwd=ROOT, check=False).returncode
        except ComponentMissingError as error:
            sys.stderr.write(f"THE TESTS DID NOT RUN: {error}\n")
            return 1
        finally:
            database.end()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
