"""The script of docs/api.md, run from top to bottom with curl against a portal, as an automation would."""

import json
import subprocess

import psycopg
import pytest

from tests.docs.documents import blocks
from tests.live.processes import eventually

pytestmark = [pytest.mark.live, pytest.mark.timeout(600)]

(SCRIPT,) = blocks("docs/api.md", "bash")
WORDS = ("key:write", "mlflow:write", "artifact:write")


@pytest.fixture(scope="module")
def shell(local):
    """A shell for the script's lines, with the key that it wants."""
    scopes = [word for scope in WORDS for word in ("--scope", scope)]
    key = local.manage("issue_key", "--name", "provisioning", "--quiet", *scopes)

    def run(script):
        script = script.replace("http://127.0.0.1:8000", local.url)
        environment = {"PATH": local.environment["PATH"], "HOKUSAI_API_KEY": key, "HOME": local.environment["HOME"]}
        return subprocess.run(
            ["sh", "-euc", script], env=environment, capture_output=True, text=True, timeout=60, check=True
        ).stdout

    return run


def test_script_provisions_a_service_and_reads_the_usage_of_its_rotated_key(shell, local):
    *before, usage = SCRIPT.strip().splitlines()
    told = shell("\n".join([*before, 'echo; echo "$id $successor"']))
    id_, successor = told.split()[-2:]
    assert '"is_allowed":true' in told
    assert '"rate_limit_per_hour":2000' in told
    assert f'"name":"{successor}"' in told
    with psycopg.connect(local.environment["DATABASE_URL"]) as connection:
        rows = connection.execute(
            "SELECT action FROM apikeys_auditevent WHERE object_id = %s ORDER BY id", (id_,)
        ).fetchall()
    assert [word for (word,) in rows] == [f"api_key_{word}" for word in ("issued", "changed", "rotated", "revoked")]

    def calls():
        asked = "\n".join([*SCRIPT.splitlines()[:3], f"successor={successor}", usage])
        return [row["route_class"] for row in json.loads(shell(asked))["results"]]

    assert eventually(lambda: calls() == ["rest"])
