"""The portal speaks the artifact protocol itself: the same keys and bytes as MLflow's, and parts past the portal."""

import json
import os
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.live.client import run_client
from tests.live.conftest import Stack
from tests.live.stack import BUCKET, Portal
from tests.live.wire import MIB, new_folder, stored

pytestmark = pytest.mark.live

API = "/api/2.0/mlflow-artifacts"
WRITE = """
    client = MlflowClient()
    run_id = os.environ.get("RUN") or client.create_run("0").info.run_id
    for name in json.loads(os.environ["NAMES"]):
        client.log_text(run_id, "text of " + name, name)
    result["run"] = run_id
"""
READ = """
    client, run_id = MlflowClient(), os.environ["RUN"]
    folders, result["sizes"], result["texts"] = [""], {}, {}
    while folders:
        for entry in client.list_artifacts(run_id, folders.pop() or None):
            folders += [entry.path] * entry.is_dir
            if not entry.is_dir:
                result["sizes"][entry.path] = entry.file_size
                result["texts"][entry.path] = mlflow.artifacts.load_text(f"runs:/{run_id}/{entry.path}")
"""
SEND_IN_PARTS = """
    import hashlib, requests
    parts, put = [], requests.put
    def noted(url, **more):
        parts.append(url)
        return put(url, **more)
    requests.put = noted
    def digest(path):
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    source, size = here / "large.bin", int(os.environ["SIZE"])
    with source.open("wb") as file:
        file.write(os.urandom(2**20))
        file.truncate(size)
    client = MlflowClient()
    run = client.create_run("0").info
    client.log_artifact(run.run_id, str(source))
    result["uri"], result["parts"] = run.artifact_uri, parts
    (here / "back").mkdir()
    fetched = client.download_artifacts(run.run_id, "large.bin", str(here / "back"))
    result["same"] = digest(fetched) == digest(source)
"""


@pytest.fixture(params=["local", "s3"])
def twins(request: pytest.FixtureRequest, stack: Stack) -> tuple[Portal, Portal]:
    """Return the portal that forwards to MLflow and the one in direct mode, before one MLflow and one store."""
    return getattr(stack, request.param), getattr(stack, f"{request.param}_direct")


def test_mode_is_switched_in_the_middle_of_a_run_and_nothing_is_missing(twins: tuple[Portal, Portal]) -> None:
    forwarding, direct = twins
    first, second = ["a.txt", "deep/er/b ü.txt"], ["deep/c%.txt", "d.json"]
    run = run_client(WRITE, forwarding, forwarding.key(), NAMES=json.dumps(first))["run"]
    run_client(WRITE, direct, direct.key(), RUN=run, NAMES=json.dumps(second))
    seen = [run_client(READ, portal, portal.key(), RUN=run) for portal in twins]
    assert seen[0] == seen[1]
    assert seen[0]["texts"] == {name: f"text of {name}" for name in (*first, *second)}
    assert seen[0]["sizes"] == {name: len(f"text of {name}".encode()) for name in (*first, *second)}


def test_direct_mode_moves_bytes_without_mlflow(twins: tuple[Portal, Portal]) -> None:
    _, direct = twins
    artifact, mlflow_log = f"{new_folder()}/x.bin", direct.mlflow.log
    before = mlflow_log.stat().st_size
    direct.ask("PUT", f"{API}/artifacts/{artifact}", data=b"bytes").raise_for_status()
    assert direct.ask("GET", f"{API}/artifacts/{artifact}").content == b"bytes"
    assert direct.ask("DELETE", f"{API}/artifacts/{artifact}").json() == {}
    assert artifact not in mlflow_log.read_text(errors="replace")[before:]


def test_ui_s_routes_answer_the_same_in_both_modes(twins: tuple[Portal, Portal]) -> None:
    run = run_client(WRITE, twins[0], twins[0].key(), NAMES='["notes/a.txt"]')["run"]
    replies = [portal.ask("GET", f"/get-artifact?run_id={run}&path=notes/a.txt") for portal in twins]
    assert [(reply.status_code, reply.content) for reply in replies] == [(200, b"text of notes/a.txt")] * 2
    missing = [portal.ask("GET", f"/get-artifact?run_id={run}&path=none.txt") for portal in twins]
    assert [(reply.status_code, reply.json()["error_code"]) for reply in missing] == [
        (404, "RESOURCE_DOES_NOT_EXIST")
    ] * 2


def test_file_of_a_version_whose_source_is_a_run_is_found_in_direct_mode(twins: tuple[Portal, Portal]) -> None:
    run, name = run_client(WRITE, twins[0], twins[0].key(), NAMES='["notes/a.txt"]')["run"], f"m-{uuid.uuid4().hex}"
    twins[1].api("POST", "2.0/mlflow/registered-models/create", json={"name": name})
    source = {"name": name, "source": f"runs:/{run}/notes", "run_id": run}
    twins[1].api("POST", "2.0/mlflow/model-versions/create", json=source)
    reply = twins[1].ask("GET", f"/model-versions/get-artifact?name={name}&version=1&path=a.txt")
    assert (reply.status_code, reply.content) == (200, b"text of notes/a.txt")


def test_range_of_an_object_on_s3_is_that_range(s3_direct: Portal) -> None:
    artifact, content = f"{new_folder()}/ranged.bin", os.urandom(6 * MIB)
    s3_direct.ask("PUT", f"{API}/artifacts/{artifact}", data=content).raise_for_status()
    reply = s3_direct.ask("GET", f"{API}/artifacts/{artifact}", headers={"Range": "bytes=5242870-5242890"})
    assert (reply.status_code, reply.headers["Content-Range"]) == (206, f"bytes 5242870-5242890/{len(content)}")
    assert reply.content == content[5242870:5242891]


def test_missing_artifact_is_a_404_of_mlflow_s_own_word(twins: tuple[Portal, Portal]) -> None:
    reply = twins[1].ask("GET", f"{API}/artifacts/{new_folder()}/none")
    assert (reply.status_code, reply.json()["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")


def test_store_s_objects_carry_the_store_s_checksum(s3_direct: Portal, stack: Stack) -> None:
    folder = new_folder()
    for name, size in (("small", 10), ("parts", 6 * MIB)):
        s3_direct.ask("PUT", f"{API}/artifacts/{folder}/{name}", data=bytes(size)).raise_for_status()
        head = stack.store.client().head_object(
            Bucket=BUCKET, Key=f"artifacts/root/{folder}/{name}", ChecksumMode="ENABLED"
        )
        assert (head["ContentLength"], bool(head.get("ChecksumCRC32"))) == (size, True)


# Parts past the portal, for services that have it switched on.


@pytest.fixture
def presigning(s3_direct: Portal) -> Iterator[str]:
    """Return a key of a service of its own whose callers may be sent to the store."""
    name = f"parts-{uuid.uuid4().hex[:8]}"
    s3_direct.manage("create_service", name)
    s3_direct.manage("presign_service", name, "on")
    yield s3_direct.manage("issue_key", "--service", name, "--name", "ci", "--preset", "contributor", "--quiet")
    s3_direct.manage("presign_service", name, "off")


def test_client_that_wants_parts_falls_back_to_the_stream_where_they_are_off(s3_direct: Portal) -> None:
    log = s3_direct.watch()
    wish = {"MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD": "true", "MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE": str(MIB)}
    outcome = run_client(SEND_IN_PARTS, s3_direct, s3_direct.key(), SIZE=str(12 * MIB), **wish)
    assert (outcome["same"], outcome["parts"]) == (True, [])
    folder = outcome["uri"].removeprefix("mlflow-artifacts:")
    assert log.codes(1, f"/mpu/create{folder}") == [501]
    assert log.codes(1, f"PUT /api/mlflow{API}/artifacts{folder}/") == [200]


@pytest.mark.parametrize(
    ("size", "wish"),
    [
        (12 * MIB, {"MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE": str(MIB)}),
        # What the stock client does by itself from 500 MiB on, told by server-info.
        (520 * MIB, {}),
    ],
    ids=["lowered thresholds", "over 500 MiB"],
)
def test_client_sends_parts_to_the_store_s_public_address(
    s3_direct: Portal, stack: Stack, presigning: str, size: int, wish: dict[str, str]
) -> None:
    log = s3_direct.watch()
    outcome = run_client(SEND_IN_PARTS, s3_direct, presigning, SIZE=str(size), **wish)
    assert outcome["same"]
    public = s3_direct.environment["HOKUSAI_S3_PUBLIC_ENDPOINT_URL"]
    assert len(outcome["parts"]) >= 2
    assert {url.startswith(f"{public}/{BUCKET}/") for url in outcome["parts"]} == {True}
    assert log.requests("PUT ") == []
    key = outcome["uri"].removeprefix("mlflow-artifacts:/")
    found = stack.store.client().head_object(Bucket=BUCKET, Key=f"artifacts/root/{key}/large.bin")
    assert (found["ContentLength"], int(found["ETag"].strip('"').rpartition("-")[2])) == (size, len(outcome["parts"]))


def test_aborted_upload_leaves_no_part_behind(s3_direct: Portal, stack: Stack, presigning: str) -> None:
    folder, credential = new_folder(), {"Authorization": f"Bearer {presigning}"}

    def ask(verb: str, **document: Any) -> Any:
        body = {"path": "/home/ci/model.bin"} | document
        return s3_direct.ask("POST", f"{API}/mpu/{verb}/{folder}", json=body, headers=credential)

    begun = ask("create", num_parts=2).json()
    assert requests.put(begun["credentials"][0]["url"], data=bytes(5 * MIB), timeout=60).status_code == 200
    uploads = stack.store.client().list_multipart_uploads(Bucket=BUCKET, Prefix=f"artifacts/root/{folder}")
    assert len(uploads["Uploads"]) == 1
    assert ask("abort", upload_id=begun["upload_id"]).status_code == 200
    uploads = stack.store.client().list_multipart_uploads(Bucket=BUCKET, Prefix=f"artifacts/root/{folder}")
    assert uploads.get("Uploads", []) == []
    assert stored(s3_direct, stack.store, f"{folder}/model.bin") is None


def test_signed_address_is_audited_and_its_query_never_logged(s3_direct: Portal, presigning: str) -> None:
    log, folder = s3_direct.watch(), new_folder()
    credential = {"Authorization": f"Bearer {presigning}"}
    s3_direct.ask("PUT", f"{API}/artifacts/{folder}/x", data=b"x", headers=credential).raise_for_status()
    url = s3_direct.ask("GET", f"{API}/presigned/{folder}/x", headers=credential).json()["url"]
    signature = url.partition("X-Amz-Signature=")[2][:32]
    assert len(signature) == 32
    assert signature not in log.path.read_text(errors="replace")
    with_event = "from apikeys.models import AuditEvent as A; print(A.objects.filter(action='presigned_urls_issued', "
    found = s3_direct.manage("shell", "-v0", "-c", f"{with_event}after__path='{folder}/x').count())")
    assert found == "1"


def test_storage_is_checked_step_by_step(twins: tuple[Portal, Portal]) -> None:
    printed = twins[1].manage("check_storage")
    assert [word for word in ("list", "write", "read", "delete") if f"✓ {word}" not in printed] == []
    assert "All good" in printed


def test_readiness_names_the_artifact_store(twins: tuple[Portal, Portal]) -> None:
    document = requests.get(f"{twins[1].url}/ready", timeout=30).json()
    checks = {check["name"]: check for check in document["checks"]}
    assert (checks["artifact_store"]["passed"], checks["artifact_store"]["critical"]) == (True, False)
