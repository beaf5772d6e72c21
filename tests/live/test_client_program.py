"""The client hokusai-portal, as the one file that people copy, against a real portal."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.live.processes import ROOT, SYSTEM_PATH
from tests.live.stack import Portal

pytestmark = pytest.mark.live

SCHEMAS = json.loads((ROOT / "docs/openapi.json").read_text())["components"]["schemas"]
UNKNOWN_ID = "hk_live_000000000000"


class Client:
    """The client on a machine of its own, where nothing is known but what a test says."""

    def __init__(self, portal: Portal, home: Path) -> None:
        self.portal, self.home = portal, home
        self.file, self.account = home / "hokusai-portal.pyz", home / "config/hokusai-portal/account.json"
        subprocess.run([sys.executable, ROOT / "client/single_file.py", self.file], check=True)

    def run(self, *words: str, typed: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        known = {"PATH": SYSTEM_PATH, "HOME": str(self.home), "XDG_CONFIG_HOME": str(self.home / "config")}
        command = [sys.executable, self.file, *words]
        variables = known | environment
        return subprocess.run(command, env=variables, input=typed, capture_output=True, text=True, check=False)

    def ask(self, *words: str, **more: str) -> Any:
        """Return the document of a command; raises AssertionError where it fails."""
        done = self.run(*words, "--json", **more)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def holding(self, preset: str) -> dict[str, str]:
        """Return the two variables, with a key of the preset."""
        return {"HOKUSAI_PORTAL_URL": self.portal.url, "HOKUSAI_API_KEY": self.portal.key(preset)}


@pytest.fixture
def client(local: Portal, tmp_path: Path) -> Client:
    return Client(local, tmp_path)


@pytest.fixture
def issued(client: Client) -> Any:
    """A key of a week, issued by the client with an operator's, and logged in with."""
    words = ("--name", "laptop", "--scope", "key:write", "--scope", "mlflow:read", "--expires-in-days", "7")
    document = client.ask("keys", "create", *words, **client.holding("operator"))
    client.ask("login", "--url", client.portal.tracking_uri, typed=f"{document['secret']}\n")
    return document


def has_shape(document: dict[str, Any], name: str) -> bool:
    schema = SCHEMAS[name]
    return set(schema["required"]) <= set(document) <= set(schema["properties"])


def test_login_keeps_the_key_for_its_user_alone(client: Client, issued: Any) -> None:
    assert has_shape(issued, "IssuedKey")
    assert json.loads(client.account.read_text()) == {"url": client.portal.url, "key": issued["secret"]}
    assert client.account.stat().st_mode & 0o777 == 0o600
    me = client.ask("whoami")
    assert has_shape(me, "WhoAmI")
    assert has_shape(me["key"], "Key")
    assert (me["key"]["key_id"], me["granted_scopes"]) == (issued["key_id"], ["key:read", "key:write", "mlflow:read"])
    listed = client.ask("keys", "list", "--status", "expiring")
    assert [has_shape(key, "Key") for key in listed] == [True] * len(listed)
    assert issued["key_id"] in {key["key_id"] for key in listed}


def test_key_replaces_itself_and_its_predecessor_is_warned_and_revoked(client: Client, issued: Any) -> None:
    old = {"HOKUSAI_PORTAL_URL": client.portal.url, "HOKUSAI_API_KEY": issued["secret"]}
    end = issued["expires_at"][:19]
    assert f"the key ends {end}+00:00. See: hokusai-portal keys rotate." in client.run("whoami").stderr
    rotated = client.run("keys", "rotate", "--store", "--json")
    stored = json.loads(client.account.read_text())["key"]
    assert stored not in rotated.stdout + rotated.stderr
    assert stored.startswith(json.loads(rotated.stdout)["key_id"])
    assert client.run("whoami", "--quiet").stdout.strip() == json.loads(rotated.stdout)["key_id"]
    assert "It has a successor: use that." in client.run("whoami", **old).stderr
    revoked = client.ask("keys", "revoke", issued["key_id"], "--reason", "replaced")
    assert has_shape(revoked, "Key")
    assert (revoked["status"], revoked["rotated_to"]) == ("revoked", json.loads(rotated.stdout)["key_id"])
    refused = client.run("whoami", **old)
    assert (refused.returncode, "(UNAUTHENTICATED, request id " in refused.stderr) == (3, True)


def test_doctor_reaches_mlflow_with_the_exports_of_env(client: Client) -> None:
    key = client.holding("reader")
    exports = client.ask("env", **key)
    assert exports == {
        "MLFLOW_TRACKING_URI": client.portal.tracking_uri,
        "MLFLOW_TRACKING_TOKEN": client.portal.key("reader"),
    }
    walk = client.run("doctor", "--json", **key, **exports)
    assert (walk.returncode, walk.stderr) == (0, "")
    hops = json.loads(walk.stdout)["hops"]
    assert [hop["status"] for hop in hops] == ["passed"] * 8
    short = client.run("doctor", "--json", "--needs", "key:write", **key)
    assert (short.returncode, json.loads(short.stdout)["hops"][-1]["name"]) == (1, "key holds the scopes")


@pytest.mark.parametrize(
    ("preset", "words", "status", "sign"),
    [
        ("reader", ("keys", "create", "--name", "more", "--preset", "reader"), 3, "SCOPE_MISSING"),
        ("operator", ("keys", "create", "--name", "more", "--scope", "mlflow:everything"), 1, "FIELD_REFUSED"),
        ("operator", ("keys", "revoke", UNKNOWN_ID, "--reason", "lost"), 1, "NOT_FOUND"),
    ],
)
def test_refusal_ends_with_its_status(
    client: Client, preset: str, words: tuple[str, ...], status: int, sign: str
) -> None:
    done = client.run(*words, **client.holding(preset))
    assert (done.returncode, done.stdout) == (status, "")
    assert f"({sign}, request id " in done.stderr
