"""The artifact protocol as a client sees it, answered by the portal from a bucket and from a folder alike."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from apikeys import actions, scopes
from mlflow_proxy import lookups
from mlflow_proxy import upstream as upstream_module
from mlflow_proxy.artifacts import stores
from tests.mlflow_proxy.stub import Answer, Seen, Stub, ok

M = "/api/mlflow"
FILES = f"{M}/api/2.0/mlflow-artifacts/artifacts"
FOLDER = "0/run/artifacts"
CONTENT = b"0123456789"


@pytest.fixture(params=["bucket", "folder"])
def store(request: pytest.FixtureRequest, settings: Any, tmp_path: Path) -> Iterator[Callable[[], list[str]]]:
    """The portal in direct mode on either kind of store; called, it returns the paths that rest there."""
    if request.param == "bucket":
        yield request.getfixturevalue("bucket").keys
        return
    settings.HOKUSAI_ARTIFACT_MODE, settings.HOKUSAI_ARTIFACT_DESTINATION = "direct", str(tmp_path)
    yield lambda: sorted(str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*") if file.is_file())
    stores._store.cache_clear()


@pytest.fixture
def ask(portal: Client, store: Any, issue: Any, bearer: Any) -> Any:
    """Make a call with every right on artifacts: ``ask("PUT", path, content, Range=…)``."""
    key = issue(words=("artifact:write", "artifact:delete", "mlflow:read", "model:read"))

    def call(method: str, path: str, content: bytes = b"", **headers: str) -> Any:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return portal.generic(
            method, f"{FILES}/{path}" if "?" not in path else path, content, headers=bearer(key) | named
        )

    return call


@pytest.fixture
def saved(ask: Any) -> str:
    assert ask("PUT", f"{FOLDER}/a.bin", CONTENT).status_code == 200
    return f"{FOLDER}/a.bin"


def body_of(reply: Any) -> bytes:
    return b"".join(reply.streaming_content) if reply.streaming else reply.content


def reason_of(reply: Any) -> tuple[int, str]:
    return reply.status_code, reply.json()["reason"]


# Listing.


def test_listing_has_the_shape_that_the_client_reads(ask: Any, saved: str) -> None:
    ask("PUT", f"{FOLDER}/deep/er/b.txt", b"")
    files = ask("GET", f"{FILES}?path={FOLDER}").json()["files"]
    assert files == [{"path": "a.bin", "is_dir": False, "file_size": 10}, {"path": "deep", "is_dir": True}]


@pytest.mark.parametrize("path", ["", "0", "0/", "0%2Frun"])
def test_listing_goes_up_to_the_root(ask: Any, saved: str, path: str) -> None:
    assert [entry["is_dir"] for entry in ask("GET", f"{FILES}?path={path}").json()["files"]] == [True]


@pytest.mark.parametrize("path", [f"{FOLDER}/a.bin", "9", "none/at/all"])
def test_listing_of_a_file_or_of_nothing_is_empty(ask: Any, saved: str, path: str) -> None:
    assert ask("GET", f"{FILES}?path={path}").json() == {"files": []}


# Upload.


def test_upload_answers_an_empty_200_and_is_there(ask: Any, store: Any) -> None:
    reply = ask("PUT", f"{FOLDER}/a%20b.txt", b"x")
    assert (reply.status_code, reply.content, store()) == (200, b"", [f"{FOLDER}/a b.txt"])


def test_upload_over_an_artifact_replaces_it(ask: Any, saved: str) -> None:
    ask("PUT", saved, b"new")
    assert body_of(ask("GET", saved)) == b"new"


def test_upload_of_a_part_of_a_file_is_refused(ask: Any, store: Any) -> None:
    reply = ask("PUT", f"{FOLDER}/a.bin", b"x", Content_Range="bytes 0-0/10")
    assert (reason_of(reply), store()) == ((400, "BODY_REFUSED"), [])


@pytest.mark.parametrize("header", ["If_Match", "If_None_Match", "If_Unmodified_Since"])
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_write_under_a_condition_that_is_not_kept_is_refused(ask: Any, saved: str, method: str, header: str) -> None:
    assert reason_of(ask(method, saved, **{header: "*"})) == (412, "PRECONDITION_FAILED")
    assert body_of(ask("GET", saved)) == CONTENT


def test_upload_that_ends_early_is_refused_and_nowhere(ask: Any, store: Any) -> None:
    reply = ask("PUT", f"{FOLDER}/a.bin", b"short", Content_Length="10")
    assert (reason_of(reply), store()) == ((400, "UPLOAD_TRUNCATED"), [])


def test_upload_that_ends_early_leaves_what_was_there(ask: Any, saved: str) -> None:
    assert ask("PUT", saved, b"short", Content_Length="99").status_code == 400
    assert body_of(ask("GET", saved)) == CONTENT


# Download.


def test_download_says_what_it_is_and_is_harmless(ask: Any, saved: str) -> None:
    reply = ask("GET", saved)
    assert body_of(reply) == CONTENT
    told = {name: reply[name] for name in ("Content-Length", "Accept-Ranges", "Content-Type", "Content-Disposition")}
    assert told == {
        "Content-Length": "10",
        "Accept-Ranges": "bytes",
        "Content-Type": "application/octet-stream",
        "Content-Disposition": 'attachment; filename="a.bin"',
    }
    assert reply["X-Content-Type-Options"] == "nosniff"
    assert reply["Content-Security-Policy"].startswith("sandbox")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("MLmodel", "text/plain"),
        ("a.json", "text/plain"),
        ("a.html", "application/octet-stream"),
        ("a.svg", "application/octet-stream"),
        ("a.png", "image/png"),
    ],
)
def test_download_has_the_type_of_its_name_unless_a_browser_would_run_it(ask: Any, name: str, kind: str) -> None:
    ask("PUT", f"{FOLDER}/{name}", b"x")
    assert ask("GET", f"{FOLDER}/{name}")["Content-Type"] == kind


def test_head_tells_the_size_without_the_bytes(ask: Any, saved: str) -> None:
    reply = ask("HEAD", saved)
    assert (reply.status_code, reply["Content-Length"], body_of(reply)) == (200, "10", b"")


@pytest.mark.parametrize(
    ("wished", "status", "content", "content_range"),
    [
        ("bytes=2-4", 206, b"234", "bytes 2-4/10"),
        ("bytes=8-", 206, b"89", "bytes 8-9/10"),
        ("bytes=-3", 206, b"789", "bytes 7-9/10"),
        ("bytes=5-99", 206, b"56789", "bytes 5-9/10"),
        ("bytes=0-1,4-5", 200, CONTENT, None),
        ("lines=1-2", 200, CONTENT, None),
    ],
)
def test_range_is_answered_with_its_bytes_or_whole(
    ask: Any, saved: str, wished: str, status: int, content: bytes, content_range: str | None
) -> None:
    reply = ask("GET", saved, Range=wished)
    assert (reply.status_code, body_of(reply), reply.headers.get("Content-Range")) == (status, content, content_range)


def test_range_outside_is_416(ask: Any, saved: str) -> None:
    assert reason_of(ask("GET", saved, Range="bytes=10-20")) == (416, "RANGE_REFUSED")


def test_known_version_is_304_without_bytes(ask: Any, saved: str) -> None:
    reply = ask("GET", saved, If_None_Match=ask("HEAD", saved)["ETag"])
    assert (reply.status_code, body_of(reply)) == (304, b"")


@pytest.mark.parametrize("wish", ["*", "{etag}", '"other", {etag}'])
def test_known_version_is_told_by_its_own_tag(ask: Any, saved: str, wish: str) -> None:
    whole = ask("GET", saved)
    reply = ask("GET", saved, If_None_Match=wish.format(etag=whole["ETag"]))
    # A date of now would be taken for that of the copy which the caller has.
    assert reply["ETag"] == whole["ETag"]
    assert reply.get("Last-Modified", whole["Last-Modified"]) == whole["Last-Modified"]


def test_resumed_range_of_a_changed_artifact_is_the_new_whole(ask: Any, saved: str) -> None:
    before = ask("HEAD", saved)["ETag"]
    assert body_of(ask("GET", saved, Range="bytes=5-", If_Range=before)) == b"56789"
    ask("PUT", saved, b"another one")
    reply = ask("GET", saved, Range="bytes=5-", If_Range=before)
    assert (reply.status_code, body_of(reply)) == (200, b"another one")


def test_other_version_than_the_one_asked_for_is_412(ask: Any, saved: str) -> None:
    assert reason_of(ask("GET", saved, If_Match='"another"')) == (412, "PRECONDITION_FAILED")


def test_missing_artifact_is_404_in_the_words_of_mlflow(ask: Any) -> None:
    document = ask("GET", f"{FOLDER}/none").json()
    assert (document["error_code"], document["reason"]) == ("RESOURCE_DOES_NOT_EXIST", "ARTIFACT_MISSING")


# Deletion.


def test_delete_takes_a_folder_with_all_below_it_and_nothing_beside(ask: Any, saved: str, store: Any) -> None:
    for name in ("deep/a", "deep/er/b", "deeper"):
        ask("PUT", f"{FOLDER}/{name}", b"x")
    reply = ask("DELETE", f"{FOLDER}/deep")
    assert (reply.status_code, reply.json(), store()) == (200, {}, [saved, f"{FOLDER}/deeper"])


def test_delete_of_what_is_not_there_is_no_error(ask: Any, saved: str, store: Any) -> None:
    assert (ask("DELETE", f"{FOLDER}/none").status_code, store()) == (200, [saved])


@pytest.mark.parametrize("path", ["0", "0/run", "0/run/artifacts"])
def test_artifact_root_delete_of_a_whole_run_is_refused(ask: Any, saved: str, store: Any, path: str) -> None:
    assert (reason_of(ask("DELETE", path)), store()) == ((400, "ARTIFACT_PATH_TOO_SHORT"), [saved])


# Files of runs, versions and logged models: MLflow is asked where they rest.


@pytest.fixture
def mlflow(settings: Any) -> Iterator[Stub]:
    """An MLflow that knows one run, one version of a model and one logged model, all with their files in one place."""
    roots = {
        "runs/get?run_id=r": {"run": {"info": {"artifact_uri": "mlflow-artifacts:/0/run/artifacts"}}},
        # As large as thousands of long parameters make it: more than is read.
        "runs/get?run_id=large": {"run": {"data": "x" * lookups.MAXIMUM_BYTES}},
        "get-download-uri?name=m&version=1": {"artifact_uri": "mlflow-artifacts:/0/run/artifacts"},
        "get-download-uri?name=m&version=2": {"artifact_uri": "runs:/r/deep"},
        "get-download-uri?name=m&version=3": {"artifact_uri": "s3://elsewhere/0"},
        "logged-models/m-1": {"model": {"info": {"artifact_uri": "mlflow-artifacts:/0/run/artifacts"}}},
    }

    def answer(seen: Seen) -> Answer:
        if "get-artifact" in seen.target:
            return Answer([ok(b"answered by MLflow itself")])
        found = next((document for sign, document in roots.items() if seen.target.endswith(sign)), None)
        return Answer([ok(json.dumps(found).encode()) if found else ok(status="404 Not Found")])

    stub = Stub(answer)
    settings.MLFLOW_SERVER_URL = stub.url
    yield stub
    stub.stop()
    upstream_module._pool.cache_clear()


@pytest.mark.parametrize(
    "target",
    [
        "get-artifact?run_id=r&path=deep/a.bin",
        "get-artifact?run_uuid=r&path=deep/a.bin",
        "model-versions/get-artifact?name=m&version=1&path=deep/a.bin",
        "model-versions/get-artifact?name=m&version=2&path=a.bin",
        "ajax-api/2.0/mlflow/logged-models/m-1/artifacts/files?artifact_file_path=deep/a.bin",
    ],
)
@pytest.mark.usefixtures("mlflow")
def test_file_is_found_where_mlflow_says_that_it_rests(ask: Any, target: str) -> None:
    ask("PUT", f"{FOLDER}/deep/a.bin", CONTENT)
    assert body_of(ask("GET", f"{M}/{target}")) == CONTENT


@pytest.mark.parametrize(
    "target",
    [
        "model-versions/get-artifact?name=m&version=3&path=a.bin",
        "get-artifact?run_id=r",
        "get-artifact?run_id=x&path=a",
        "get-artifact?run_id=large&path=a",
    ],
)
@pytest.mark.usefixtures("mlflow")
def test_file_elsewhere_or_unnamed_is_left_to_mlflow(ask: Any, target: str) -> None:
    assert body_of(ask("GET", f"{M}/{target}")) == b"answered by MLflow itself"


def test_file_of_another_workspace_is_refused_whatever_mlflow_says(
    portal: Client, store: Any, mlflow: Stub, issue: Any, bearer: Any, settings: Any, actor: actions.Actor
) -> None:
    settings.HOKUSAI_WORKSPACES = True
    key = issue(words=scopes.PRESETS["reader"])
    actions.pin_service(service=key.row.service, workspaces=["team-a"], actor=actor)
    mlflow.script = lambda _: Answer(
        [ok(b'{"run": {"info": {"artifact_uri": "mlflow-artifacts:/workspaces/team-b/0"}}}')]
    )
    reply = portal.generic("GET", f"{M}/get-artifact?run_id=r&path=a", headers=bearer(key))
    assert reason_of(reply) == (400, "AMBIGUOUS_PATH")


def test_artifact_reply_tells_a_key_of_the_last_days_its_end(
    portal: Client, saved: str, issue: Any, bearer: Any
) -> None:
    ending = issue(words=("artifact:read",), expires_in_days=7)
    reply = portal.generic("GET", f"{FILES}/{saved}", headers=bearer(ending))
    assert body_of(reply) == CONTENT
    assert reply["X-Hokusai-Key-Expires"] == ending.row.expires_at.replace(microsecond=0).isoformat()
