"""Signed addresses: for services that have them, of one object, for a short time, and never unrecorded."""

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from django.db import OperationalError
from django.test import Client

from apikeys import actions, scopes
from apikeys.models import AuditEvent, Service
from tests.mlflow_proxy.artifacts.conftest import PUBLIC_HOST, Bucket

M = "/api/mlflow/api/2.0/mlflow-artifacts"
FOLDER = "0/run/artifacts"
MIB = 1024**2
NO_UPLOADS = "Multipart upload is not supported for the current artifact repository"
NO_DOWNLOADS = "Multipart download is not supported for the current artifact repository"


@pytest.fixture
def given(platform: Service, actor: actions.Actor) -> Service:
    """The default service, with signed addresses switched on."""
    return actions.set_presigned_urls(service=platform, is_on=True, actor=actor)


@pytest.fixture
def ask(portal: Client, bucket: Bucket, bearer: Any) -> Any:
    """Make a call of the multipart protocol with a key: ``ask(key, "create", **document)``."""

    def post(key: Any, verb: str, *, folder: str = FOLDER, **document: Any) -> Any:
        body = json.dumps({"path": "/home/ci/model.bin"} | document)
        target = f"{M}/mpu/{verb}/{folder}"
        return portal.generic("POST", target, body, content_type="application/json", headers=bearer(key))

    return post


def reason_of(reply: Any) -> tuple[int, str]:
    return reply.status_code, reply.json()["reason"]


def put_parts(begun: Any) -> list[dict[str, Any]]:
    """Upload a part of 5 MiB to each address and return what completes them."""
    return [
        {
            "part_number": part["part_number"],
            "etag": requests.put(part["url"], data=bytes(5 * MIB), timeout=30).headers["ETag"],
        }
        for part in begun["credentials"]
    ]


# Off, as every service begins.


def test_presigned_issue_off_answers_what_makes_the_client_stream(ask: Any, writer: Any, bucket: Bucket) -> None:
    for verb in ("create", "complete", "abort"):
        reply = ask(writer, verb)
        assert (reply.status_code, reply.json()["error_code"]) == (501, "NOT_IMPLEMENTED")
        assert reply.json()["message"].startswith(NO_UPLOADS)
    assert bucket.uploads() == []


def test_presigned_issue_off_says_so_for_downloads(portal: Client, bucket: Bucket, reader: Any, bearer: Any) -> None:
    bucket.put(f"{FOLDER}/a.bin", b"x")
    reply = portal.generic("GET", f"{M}/presigned/{FOLDER}/a.bin", headers=bearer(reader))
    assert (reply.status_code, reply.json()["message"].startswith(NO_DOWNLOADS)) == (501, True)
    assert not AuditEvent.objects.filter(action="presigned_urls_issued").exists()


# Uploads in parts.


@pytest.mark.usefixtures("given")
def test_multipart_upload_makes_one_artifact_of_its_parts(ask: Any, writer: Any, bucket: Bucket) -> None:
    begun = ask(writer, "create", num_parts=2).json()
    assert bucket.keys() == []
    parts = put_parts(begun)
    assert ask(writer, "complete", upload_id=begun["upload_id"], parts=parts).status_code == 200
    assert bucket.get(f"{FOLDER}/model.bin") == bytes(10 * MIB)
    assert bucket.uploads() == []


@pytest.mark.usefixtures("given")
def test_multipart_upload_aborted_leaves_no_part(ask: Any, writer: Any, bucket: Bucket) -> None:
    begun = ask(writer, "create", num_parts=2).json()
    put_parts(begun)
    assert ask(writer, "abort", upload_id=begun["upload_id"]).status_code == 200
    assert (bucket.keys(), bucket.uploads()) == ([], [])


@pytest.mark.usefixtures("given")
def test_presigned_issue_part_address_is_public_and_of_one_object_and_method(
    ask: Any, writer: Any, bucket: Bucket
) -> None:
    begun = ask(writer, "create", num_parts=3).json()
    assert [part["part_number"] for part in begun["credentials"]] == [1, 2, 3]
    for part in begun["credentials"]:
        parts, query = urlsplit(part["url"]), parse_qs(urlsplit(part["url"]).query)
        assert parts.hostname == PUBLIC_HOST
        assert parts.path == f"/{bucket.name}/artifacts/root/{FOLDER}/model.bin"
        assert query["partNumber"] == [str(part["part_number"])]
        assert int(query["X-Amz-Expires"][0]) <= 900


@pytest.mark.parametrize("count", [100_000, 10_001, 0, -1, 1e9, "x", True, 1.5, None])
@pytest.mark.usefixtures("given")
def test_multipart_part_count_out_of_bounds_begins_nothing(ask: Any, writer: Any, bucket: Bucket, count: Any) -> None:
    assert reason_of(ask(writer, "create", num_parts=count)) == (400, "BODY_REFUSED")
    assert bucket.uploads() == []


@pytest.mark.parametrize(
    ("path", "name"),
    [("../../0/x", "x"), ("C:\\models\\m.bin", "m.bin"), ("plain.bin", "plain.bin"), ("/a b/ü.bin", "ü.bin")],
)
@pytest.mark.usefixtures("given")
def test_multipart_foreign_key_body_path_is_its_last_name_below_the_target(
    ask: Any, writer: Any, bucket: Bucket, path: str, name: str
) -> None:
    assert ask(writer, "create", path=path).status_code == 200
    assert bucket.uploads() == [f"{FOLDER}/{name}"]


@pytest.mark.parametrize("path", ["..", "/home/ci/", "a/..", "", "x%2fy", "a\n", 7, None])
@pytest.mark.usefixtures("given")
def test_multipart_foreign_key_body_path_without_a_clear_name_is_refused(
    ask: Any, writer: Any, bucket: Bucket, path: Any
) -> None:
    assert ask(writer, "create", path=path).status_code == 400
    assert bucket.uploads() == []


@pytest.mark.usefixtures("given")
def test_multipart_upload_above_a_run_is_refused(ask: Any, writer: Any, bucket: Bucket) -> None:
    assert reason_of(ask(writer, "create", folder="0/run")) == (400, "ARTIFACT_PATH_TOO_SHORT")
    assert bucket.uploads() == []


@pytest.fixture
def other(issue: Any, batch: Service, actor: actions.Actor) -> Any:
    """A key of another service that is given signed addresses as well."""
    actions.set_presigned_urls(service=batch, is_on=True, actor=actor)
    return issue(service=batch, name="other", words=scopes.PRESETS["contributor"])


@pytest.mark.parametrize("verb", ["complete", "abort"])
@pytest.mark.usefixtures("given")
def test_multipart_foreign_key_upload_of_another_key_does_not_exist(
    ask: Any, writer: Any, other: Any, bucket: Bucket, verb: str
) -> None:
    begun = ask(writer, "create").json()
    parts = put_parts(begun)
    reply = ask(other, verb, upload_id=begun["upload_id"], parts=parts)
    assert reason_of(reply) == (404, "ARTIFACT_MISSING")
    assert (bucket.uploads(), bucket.keys()) == ([f"{FOLDER}/model.bin"], [])


@pytest.mark.parametrize(
    "change", [{"path": "other.bin"}, {"folder": "0/other/artifacts"}, {"upload_id": "made up"}, {"upload_id": None}]
)
@pytest.mark.usefixtures("given")
def test_multipart_foreign_key_upload_is_of_one_path(
    ask: Any, writer: Any, bucket: Bucket, change: dict[str, Any]
) -> None:
    begun = ask(writer, "create").json()
    asked: dict[str, Any] = {"upload_id": begun["upload_id"], "parts": put_parts(begun)} | change
    assert reason_of(ask(writer, "complete", **asked)) == (404, "ARTIFACT_MISSING")
    assert bucket.keys() == []


@pytest.mark.usefixtures("given")
def test_multipart_upload_outlives_the_rotation_of_its_key(
    ask: Any, writer: Any, bucket: Bucket, actor: actions.Actor
) -> None:
    begun = ask(writer, "create").json()
    successor = actions.rotate_key(key=writer.row, actor=actor)
    reply = ask(successor, "complete", upload_id=begun["upload_id"], parts=put_parts(begun))
    assert (reply.status_code, bucket.keys()) == (200, [f"{FOLDER}/model.bin"])


@pytest.mark.parametrize(
    "parts",
    [
        None,
        [],
        "x",
        [{"part_number": 1}],
        [{"part_number": "1", "etag": "a"}],
        [{"part_number": 1, "etag": '"><x>'}],
        [7],
    ],
)
@pytest.mark.usefixtures("given")
def test_multipart_upload_with_unreadable_parts_is_refused(ask: Any, writer: Any, bucket: Bucket, parts: Any) -> None:
    begun = ask(writer, "create").json()
    assert reason_of(ask(writer, "complete", upload_id=begun["upload_id"], parts=parts)) == (400, "BODY_REFUSED")
    assert bucket.keys() == []


@pytest.mark.parametrize("numbers", [[1], [2], [1, 1], [1, 3], [1, 2, 2], [1, 2, 3], [0, 1], [True, 2], [1, 2.0]])
@pytest.mark.usefixtures("given")
def test_multipart_upload_of_other_parts_than_were_begun_is_no_artifact(
    ask: Any, writer: Any, bucket: Bucket, numbers: list[Any]
) -> None:
    begun = ask(writer, "create", num_parts=2).json()
    tags = {part["part_number"]: part["etag"] for part in put_parts(begun)}
    parts = [{"part_number": number, "etag": tags.get(number, tags[1])} for number in numbers]
    assert reason_of(ask(writer, "complete", upload_id=begun["upload_id"], parts=parts)) == (400, "BODY_REFUSED")
    assert bucket.keys() == []


@pytest.mark.usefixtures("given")
def test_multipart_upload_with_wrong_tags_is_the_callers_mistake(ask: Any, writer: Any, bucket: Bucket) -> None:
    begun = ask(writer, "create").json()
    put_parts(begun)
    wrong = [{"part_number": 1, "etag": "0" * 32}]
    assert reason_of(ask(writer, "complete", upload_id=begun["upload_id"], parts=wrong)) == (400, "BODY_REFUSED")
    assert bucket.keys() == []


@pytest.mark.usefixtures("given")
def test_multipart_upload_in_a_workspace_rests_below_it(
    ask: Any, writer: Any, bucket: Bucket, settings: Any, actor: actions.Actor
) -> None:
    settings.HOKUSAI_WORKSPACES = True
    actions.pin_service(service=writer.row.service, workspaces=["team-a"], actor=actor)
    assert ask(writer, "create").status_code == 200
    assert bucket.uploads() == [f"workspaces/team-a/{FOLDER}/model.bin"]
    assert ask(writer, "create", folder=f"workspaces/team-b/{FOLDER}").status_code == 400


# Downloads.


@pytest.fixture
def download(portal: Client, bucket: Bucket, bearer: Any) -> Any:
    """Ask for an artifact of 10 bytes: ``download(key, "presigned")`` or ``download(key, "artifacts", Range=…)``."""
    bucket.put(f"{FOLDER}/a b.html", b"0123456789")

    def get(key: Any, how: str, *, method: str = "GET", name: str = "a%20b.html", **headers: str) -> Any:
        return portal.generic(method, f"{M}/{how}/{FOLDER}/{name}", headers=bearer(key) | headers)

    return get


@pytest.mark.usefixtures("given")
def test_presigned_issue_download_address_gives_the_file_for_saving(download: Any, reader: Any) -> None:
    document = download(reader, "presigned").json()
    assert (document["file_size"], document["headers"]) == (10, {})
    query = parse_qs(urlsplit(document["url"]).query)
    assert (urlsplit(document["url"]).hostname, int(query["X-Amz-Expires"][0]) <= 300) == (PUBLIC_HOST, True)
    assert query["response-content-type"] == ["application/octet-stream"]
    assert query["response-content-disposition"] == ['attachment; filename="a b.html"']
    assert requests.get(document["url"], timeout=10).content == b"0123456789"


@pytest.mark.usefixtures("given")
def test_presigned_issue_address_is_recorded_with_object_method_and_time(download: Any, reader: Any) -> None:
    assert download(reader, "presigned").status_code == 200
    event = AuditEvent.objects.get(action="presigned_urls_issued")
    assert event.actor == event.object_id == reader.row.public_id
    assert event.after == {"method": "GET", "path": f"{FOLDER}/a b.html", "seconds": 300}


@pytest.mark.usefixtures("given")
def test_presigned_issue_for_a_name_that_is_a_key_is_recorded_without_the_secret(
    download: Any, reader: Any, bucket: Bucket
) -> None:
    bucket.put(f"{FOLDER}/{reader.secret.text}", b"0123456789")
    assert download(reader, "presigned", name=reader.secret.text).status_code == 200
    event = AuditEvent.objects.get(action="presigned_urls_issued")
    assert event.after["path"] == f"{FOLDER}/{reader.row.public_id}…"


@pytest.mark.usefixtures("given")
def test_presigned_issue_that_cannot_be_recorded_hands_out_nothing(
    download: Any, ask: Any, writer: Any, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**facts: Any) -> None:
        raise OperationalError("read-only")

    monkeypatch.setattr(actions, "record_presigned_urls", fail)
    for reply in (download(writer, "presigned"), ask(writer, "create")):
        assert reason_of(reply) == (503, "DATABASE_UNAVAILABLE")
        assert "X-Amz-Signature" not in reply.content.decode()
    assert bucket.uploads() == []


@pytest.mark.usefixtures("given")
def test_presigned_issue_for_a_missing_artifact_is_404_and_unrecorded(download: Any, reader: Any) -> None:
    assert reason_of(download(reader, "presigned", name="none")) == (404, "ARTIFACT_MISSING")
    assert not AuditEvent.objects.filter(action="presigned_urls_issued").exists()


@pytest.mark.usefixtures("given")
def test_large_download_is_redirected_to_its_signed_address(download: Any, reader: Any, settings: Any) -> None:
    settings.HOKUSAI_REDIRECT_MIN_BYTES = 10
    reply = download(reader, "artifacts")
    assert (reply.status_code, reply["Cache-Control"]) == (307, "private, no-store")
    assert requests.get(reply["Location"], timeout=10).content == b"0123456789"


@pytest.mark.parametrize(
    ("method", "minimum", "headers"), [("GET", 11, {}), ("HEAD", 10, {}), ("GET", 10, {"Range": "bytes=1-2"})]
)
@pytest.mark.usefixtures("given")
def test_download_that_is_small_partial_or_a_head_is_streamed(
    download: Any, reader: Any, settings: Any, method: str, minimum: int, headers: dict[str, str]
) -> None:
    settings.HOKUSAI_REDIRECT_MIN_BYTES = minimum
    assert download(reader, "artifacts", method=method, **headers).status_code in {200, 206}


def test_large_download_of_a_service_without_addresses_is_streamed(download: Any, reader: Any, settings: Any) -> None:
    settings.HOKUSAI_REDIRECT_MIN_BYTES = 0
    reply = download(reader, "artifacts")
    assert (reply.status_code, b"".join(reply.streaming_content)) == (200, b"0123456789")
