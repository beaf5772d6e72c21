"""The REST API, tried by schemathesis with calls made up from its own document: nothing may be undocumented.

``make test`` looks briefly; ``make fuzz`` says how often with FUZZ_EXAMPLES.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from apikeys import scopes
from tests.live.conftest import Stack
from tests.live.processes import ROOT
from tests.live.stack import Portal

pytestmark = [pytest.mark.live, pytest.mark.timeout(3600)]

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "0"))
BRIEF = ("--phases=examples,coverage,stateful", "--max-examples=3", "--max-time=25", "--generation-deterministic")
LONG = ("--phases=examples,coverage,fuzzing,stateful", f"--max-examples={EXAMPLES}", "--continue-on-failure")


@pytest.fixture
def lonely(stack: Stack) -> Iterator[Portal]:
    """Return a portal with keys of its own: made-up calls disable and revoke whatever they find in lists."""
    portal = stack.stranger(stack.local.mlflow, "portal-fuzz")
    portal.start()
    try:
        portal.wait_until_ready()
        yield portal
    finally:
        portal.end()


def test_made_up_calls_find_no_server_error_and_no_undocumented_reply(lonely: Portal, tmp_path: Path) -> None:
    words = [word for scope in scopes.ALL for word in ("--scope", scope)]
    name = ("--name", "fuzz", "--quiet", "--rate-limit-per-hour", "1000000")
    key = lonely.manage("issue_key", *name, *words)
    st = Path(sys.executable).with_name("st")
    command = [st, "--config-file", ROOT / "tests/live/schemathesis.toml", "run", ROOT / "docs/openapi.json"]
    told = ["--url", lonely.url, *(LONG if EXAMPLES else BRIEF)]
    environment = os.environ | {
        "FUZZ_KEY": key,
        "FUZZ_KEY_ID": key[:20],
        "SCHEMATHESIS_HOOKS": "tests.live.fuzzing",
        "PYTHONPATH": str(ROOT),
        "NO_PROXY": "*",
    }
    log = lonely.watch()
    done = subprocess.run(
        [*command, *told], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=3600
    )
    assert done.returncode == 0, done.stdout[-20000:] + done.stderr[-2000:]
    codes = [code for _, code in log.requests("/api/v1/")]
    assert len(codes) > 100
    assert max(codes) < 500
    # What fuzzes still may, so that the calls were about something.
    (row,) = (line for line in lonely.manage("list_keys").splitlines() if line.startswith(key[:20]))
    assert " active " in row
