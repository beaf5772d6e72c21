"""Keys at work: every carrier, refusals in the client's words and in one request, revocation on every worker."""

import base64
import json
import subprocess
import uuid
from collections.abc import Iterator

import psycopg
import pytest
import requests

from tests.live.client import run_client
from tests.live.processes import eventually
from tests.live.stack import Portal
from tests.live.wire import session_of_each_worker

pytestmark = pytest.mark.live

SEARCH = "/api/2.0/mlflow/experiments/search?max_results=1"
CASES = """
    def outcome():
        try:
            return len(MlflowClient().search_experiments(max_results=1))
        except Exception as error:
            return told(error)
    names = ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN")
    for name, case in json.loads(os.environ["CASES"]).items():
        for variable in names:
            os.environ.pop(variable, None)
        (here / ".netrc").unlink(missing_ok=True)
        if "netrc" in case:
            (here / ".netrc").write_text(case.pop("netrc"))
            (here / ".netrc").chmod(0o600)
        os.environ.update(case)
        result[name] = outcome()
"""
# What the script's call is: a line of an earlier test's last call may come late.
ASKED = "POST /api/mlflow/api/2.0/mlflow/experiments/search"
REFUSED = "RestException: UNAUTHENTICATED: The API key is not valid. Ask its service's owner for a new one."


def public_id(key: str) -> str:
    return key[: len("hk_live_") + 12]


def outdated(portal: Portal) -> str:
    """Return a key whose time is over."""
    key = portal.issue("reader")
    with psycopg.connect(portal.environment["DATABASE_URL"], autocommit=True) as connection:
        earlier = "created_at = now() - interval '2 days', expires_at = now() - interval '1 day'"
        changed = connection.execute(f"UPDATE apikeys_apikey SET {earlier} WHERE public_id = %s", (public_id(key),))
        assert changed.rowcount == 1
    return key


def revoked(portal: Portal) -> str:
    key = portal.issue("reader")
    portal.manage("revoke_key", public_id(key), "--reason", "test")
    return key


def test_p0_17_every_carrier_of_a_key_has_one_meaning(local: Portal) -> None:
    key, user, word, token = local.key("reader"), *(f"MLFLOW_TRACKING_{n}" for n in ("USERNAME", "PASSWORD", "TOKEN"))
    right, wrong = "machine 127.0.0.1 login platform password ", "not-a-key"
    cases = {
        "bearer": {token: key},
        "basic": {user: "platform", word: key},
        "basic for any service": {user: "__token__", word: key},
        "basic wins over a wrong token": {user: "platform", word: key, token: wrong},
        "wrong basic is not saved by a token": {user: "platform", word: wrong, token: key},
        "netrc replaces a wrong token": {token: wrong, "netrc": right + key},
        "wrong netrc replaces a token": {token: key, "netrc": right + wrong},
        "another service's name": {user: "somebody", word: key},
    }
    outcome = run_client(CASES, local, None, CASES=json.dumps(cases))
    assert outcome == {
        "bearer": 1,
        "basic": 1,
        "basic for any service": 1,
        "basic wins over a wrong token": 1,
        "wrong basic is not saved by a token": REFUSED,
        "netrc replaces a wrong token": 1,
        "wrong netrc replaces a token": REFUSED,
        "another service's name": REFUSED,
    }


def test_p0_20_bad_key_is_refused_by_name_in_one_request(local: Portal, s3: Portal) -> None:
    token = "MLFLOW_TRACKING_TOKEN"
    good = local.key("reader")
    cases = {
        "shapeless": {token: "nonsense"},
        "broken checksum": {token: good[:-1] + ("0" if good[-1] != "0" else "1")},
        "of another portal": {token: s3.key("reader")},
        "expired": {token: outdated(local)},
        "revoked": {token: revoked(local)},
    }
    log = local.watch()
    outcome = run_client(CASES, local, None, CASES=json.dumps(cases))
    assert outcome == dict.fromkeys(cases, REFUSED)
    assert log.codes(len(cases), ASKED) == [401] * len(cases)
    reasons = [event["reason"] for event in log.events("credential_refused")]
    assert reasons == ["KEY_MALFORMED", "KEY_MALFORMED", "KEY_UNKNOWN", "KEY_EXPIRED", "KEY_REVOKED"]


def test_p0_20_no_key_is_told_where_it_was_looked_for_in_one_request(local: Portal) -> None:
    log = local.watch()
    outcome = run_client(CASES, local, None, CASES=json.dumps({"none": {}}))
    assert outcome["none"].startswith("RestException: UNAUTHENTICATED: No API key found. Looked in Authorization")
    assert log.codes(1, ASKED) == [401]


@pytest.fixture
def pinned(local: Portal) -> Iterator[list[requests.Session]]:
    """Yield a session for each worker."""
    with session_of_each_worker(local) as sessions:
        yield sessions


def test_p0_20_revocation_holds_on_the_next_call_of_every_worker(local: Portal, pinned: list[requests.Session]) -> None:
    key = local.issue("reader")
    headers = {"Authorization": f"Bearer {key}"}

    def statuses() -> list[int]:
        # A worker refuses a key 20 times a minute by its name, and all that are fresh may meet the same worker.
        kept = [session.get(f"{local.tracking_uri}{SEARCH}", headers=headers, timeout=60) for session in pinned]
        fresh = [requests.get(f"{local.tracking_uri}{SEARCH}", headers=headers, timeout=60) for _ in range(18)]
        return [reply.status_code for reply in (*kept, *fresh)]

    assert statuses() == [200] * 20
    local.manage("revoke_key", public_id(key), "--reason", "leaked")
    assert statuses() == [401] * 20


def test_reader_reads_and_is_told_which_scope_a_write_needs(portal: Portal) -> None:
    headers, url = portal.headers("reader"), f"{portal.tracking_uri}/api/2.0/mlflow"
    assert requests.get(f"{portal.tracking_uri}{SEARCH}", headers=headers, timeout=60).status_code == 200
    refused = requests.post(f"{url}/runs/create", json={"experiment_id": "0"}, headers=headers, timeout=60)
    assert refused.status_code == 403
    assert refused.json()["error_code"] == "PERMISSION_DENIED"
    assert "mlflow:write" in refused.json()["message"]
    assert "mlflow:read" in refused.json()["message"]


@pytest.mark.parametrize("carrier", ["Authorization: Bearer", "X-API-Key:", "Authorization: ApiKey", "-u"])
def test_u1_curl_tells_that_a_key_is_good(portal: Portal, carrier: str) -> None:
    key = portal.key("reader")
    credential = ["-u", f"platform:{key}"] if carrier == "-u" else ["-H", f"{carrier} {key}"]
    done = subprocess.run(
        ["curl", "-q", "-sS", "--fail", *credential, f"{portal.tracking_uri}{SEARCH}"], check=True, capture_output=True
    )
    assert json.loads(done.stdout)["experiments"]


def test_seed_s_curl_on_the_artifact_root_lists_files(portal: Portal) -> None:
    command = ["curl", "-q", "-sS", "-w", "\n%{http_code}", "-H", f"Authorization: Bearer {portal.key('reader')}"]
    done = subprocess.run([*command, portal.artifacts], check=True, capture_output=True, text=True)
    document, _, status = done.stdout.rpartition("\n")
    assert status == "200"
    assert isinstance(json.loads(document)["files"], list)


def test_last_use_is_written_to_the_key_s_row(local: Portal) -> None:
    key, agent = local.issue("reader"), f"agent-{uuid.uuid4().hex[:8]}"
    basic = base64.b64encode(f"platform:{key}".encode()).decode()
    headers = {"Authorization": f"Basic {basic}", "User-Agent": agent}

    def row() -> tuple[object, ...] | None:
        with psycopg.connect(local.environment["DATABASE_URL"]) as connection:
            query = "SELECT last_used_at IS NOT NULL, host(last_used_ip), last_used_agent FROM apikeys_apikey"
            return connection.execute(f"{query} WHERE public_id = %s", (public_id(key),)).fetchone()

    assert row() == (False, None, "")
    requests.get(f"{local.tracking_uri}{SEARCH}", headers=headers, timeout=60).raise_for_status()
    assert eventually(lambda: row() == (True, "127.0.0.1", agent)), row()


def test_no_secret_of_a_key_is_ever_logged(local: Portal) -> None:
    key, log = local.issue("reader"), local.watch()
    for headers in ({"Authorization": f"Bearer {key}"}, {"Authorization": f"Bearer {key}x"}, {"X-API-Key": key}):
        requests.get(f"{local.tracking_uri}{SEARCH}&filter={key}", headers=headers, timeout=60)
    requests.get(f"{local.url}/nowhere/{key}", timeout=60)
    secret = key[len(public_id(key)) :]
    assert len(log.codes(4, public_id(key))) == 4
    assert secret not in local.log.read_text()
