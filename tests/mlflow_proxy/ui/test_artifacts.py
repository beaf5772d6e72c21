"""Files by a session, in direct mode: the protocol that keys use, without signed addresses; rights until the end."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User

from mlflow_proxy import views
from mlflow_proxy.artifacts import stores
from tests.mlflow_proxy.stub import Stub, ok
from tests.mlflow_proxy.ui.conftest import Browser, whole

FILES = "/mlflow/api/2.0/mlflow-artifacts/artifacts"
PATH = "0/run/artifacts/a.bin"
BINARY: Any = {"Content_Type": "application/octet-stream"}


@pytest.fixture
def folder(mlflow: Stub, settings: Any, tmp_path: Path) -> Iterator[Path]:
    settings.HOKUSAI_ARTIFACT_MODE, settings.HOKUSAI_ARTIFACT_DESTINATION = "direct", str(tmp_path)
    yield tmp_path
    stores._store.cache_clear()


@pytest.fixture
def kept(folder: Path) -> Path:
    file = folder / PATH
    file.parent.mkdir(parents=True)
    file.write_bytes(b"0123456789")
    return file


def test_viewer_lists_and_downloads(kept: Path, viewer: Browser, mlflow: Stub) -> None:
    listed = viewer.fetch("GET", f"{FILES}?path=0/run/artifacts").json()
    assert [entry["path"] for entry in listed["files"]] == ["a.bin"]
    assert whole(viewer.fetch("GET", f"{FILES}/{PATH}")) == b"0123456789"
    assert mlflow.connections == 0


def test_file_of_a_run_is_found_and_inert(kept: Path, viewer: Browser, mlflow: Stub) -> None:
    run = {"run": {"info": {"artifact_uri": "mlflow-artifacts:/0/run/artifacts"}}}
    mlflow.reply(ok(json.dumps(run).encode()))
    reply = viewer.open("/mlflow/get-artifact?run_uuid=run&path=a.bin")
    assert whole(reply) == b"0123456789"
    assert reply["Content-Disposition"].startswith("attachment")
    assert reply["Content-Security-Policy"] == "sandbox; default-src 'none'"


def test_editor_uploads_and_removes(folder: Path, editor: Browser) -> None:
    assert editor.fetch("PUT", f"{FILES}/{PATH}", b"new", **BINARY).status_code == 200
    assert (folder / PATH).read_bytes() == b"new"
    assert editor.fetch("DELETE", f"{FILES}/{PATH}").status_code == 200
    assert not (folder / PATH).exists()


def test_viewer_changes_nothing(kept: Path, viewer: Browser) -> None:
    assert viewer.fetch("PUT", f"{FILES}/{PATH}", b"new", **BINARY).status_code == 403
    assert viewer.fetch("DELETE", f"{FILES}/{PATH}").status_code == 403
    assert kept.read_bytes() == b"0123456789"


@pytest.mark.parametrize("what", ["the permission", "the account"])
def test_upload_ends_unstored_when_its_right_ends_under_way(
    folder: Path, editor: Browser, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setattr(views, "LONG_UPLOAD_SECONDS", -1)
    upload = views.intake.take

    def take_and_lose(*args: Any) -> Any:
        user = User.objects.get(username="editor")
        user.user_permissions.clear() if what == "the permission" else User.objects.update(is_active=False)
        return upload(*args)

    monkeypatch.setattr(views.intake, "take", take_and_lose)
    reply = editor.fetch("PUT", f"{FILES}/{PATH}", b"new", **BINARY)
    assert (reply.status_code, reply.json()["reason"]) == (403, "UI_PERMISSION_MISSING")
    assert not (folder / PATH).exists()


def test_upload_in_parts_past_the_portal_is_for_no_account(folder: Path, editor: Browser) -> None:
    reply = editor.fetch("POST", f"/mlflow/api/2.0/mlflow-artifacts/mpu/create/{PATH}", b'{"path":"a","num_parts":1}')
    assert (reply.status_code, reply.json()["reason"]) == (501, "PRESIGNED_OFF")


def test_server_says_that_the_portal_carries_the_bytes(folder: Path, viewer: Browser, mlflow: Stub) -> None:
    mlflow.reply(ok(b'{"multipart_uploads_enabled":true,"multipart_downloads_enabled":true}'))
    facts = viewer.fetch("GET", "/mlflow/ajax-api/3.0/mlflow/server-info").json()
    assert set(facts.values()) == {False}
