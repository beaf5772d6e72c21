"""What a browser is shown: headers of the portal's own, assets that last and are small, artifacts that are inert."""

import zlib
from typing import Any

import pytest

from tests.mlflow_proxy.stub import Stub, chunked_ok, ok
from tests.mlflow_proxy.ui.conftest import Browser, whole

MAIN = "/mlflow/static-files/static/js/main.c2f5f8d4.js"
SCRIPT = b"const words = 'the same words again and again';\n" * 5000
JAVASCRIPT = "Content-Type: text/javascript; charset=utf-8"
HTML = "Content-Type: text/html; charset=utf-8"


def gunzip(raw: bytes) -> bytes:
    return zlib.decompress(raw, 16 + zlib.MAX_WBITS)


def policy(reply: Any) -> dict[str, str]:
    pairs = (part.strip().partition(" ") for part in reply["Content-Security-Policy"].split(";"))
    return {name: value for name, _, value in pairs}


@pytest.fixture
def shell(mlflow: Stub, viewer: Browser) -> Any:
    mlflow.reply(
        ok(b"<!doctype html>", HTML, "X-Frame-Options: SAMEORIGIN", "Content-Security-Policy: default-src *"),
    )
    reply = viewer.open("/mlflow/")
    assert whole(reply) == b"<!doctype html>"
    return reply


def test_shell_is_asked_for_below_the_prefix(shell: Any, mlflow: Stub) -> None:
    assert [(seen.method, seen.target) for seen in mlflow.seen] == [("GET", "/mlflow/")]


def test_shell_allows_no_foreign_and_no_inline_script(shell: Any) -> None:
    assert policy(shell)["default-src"] == "'none'"
    assert policy(shell)["script-src"] == "'self'"
    assert policy(shell)["base-uri"] == policy(shell)["form-action"] == "'none'"
    assert "http" not in shell["Content-Security-Policy"]
    assert "unsafe-eval" not in shell["Content-Security-Policy"]


def test_shell_is_framed_by_nobody(shell: Any) -> None:
    assert policy(shell)["frame-ancestors"] == "'none'"
    assert shell["X-Frame-Options"] == "DENY"
    assert shell["Cross-Origin-Opener-Policy"] == "same-origin"
    assert shell["Cross-Origin-Resource-Policy"] == "same-origin"


def test_shell_is_kept_by_nobody(shell: Any) -> None:
    assert shell["Cache-Control"] == "private, no-store"


def test_policy_of_mlflow_is_replaced(shell: Any) -> None:
    assert "*" not in shell["Content-Security-Policy"]


def test_admin_policy_is_another_one(shell: Any, viewer: Browser) -> None:
    assert viewer.get("/")["Content-Security-Policy"] != shell["Content-Security-Policy"]


def test_asset_with_a_hash_lasts(mlflow: Stub, viewer: Browser) -> None:
    mlflow.reply(ok(SCRIPT, JAVASCRIPT))
    reply = viewer.fetch("GET", MAIN)
    assert reply["Cache-Control"] == "private, max-age=31536000, immutable"
    assert whole(reply) == SCRIPT


@pytest.mark.parametrize("name", ["favicon.ico", "manifest.json", "index.html"])
def test_asset_without_a_hash_is_not_kept(mlflow: Stub, viewer: Browser, name: str) -> None:
    reply = viewer.fetch("GET", f"/mlflow/static-files/{name}")
    assert reply["Cache-Control"] == "private, no-store"
    assert "script-src 'self'" in reply["Content-Security-Policy"]
    whole(reply)


def test_missing_asset_is_not_kept(mlflow: Stub, viewer: Browser) -> None:
    mlflow.reply(ok(b"<!doctype html>", HTML, status="404 NOT FOUND"))
    reply = viewer.fetch("GET", MAIN)
    assert (reply.status_code, reply["Cache-Control"]) == (404, "private, no-store")


@pytest.mark.parametrize(
    ("script", "answer"),
    [
        (SCRIPT, ok(SCRIPT, JAVASCRIPT, 'ETag: "1"')),
        (SCRIPT, chunked_ok(SCRIPT, line=JAVASCRIPT)),
        (SCRIPT[:5000], ok(SCRIPT[:5000], JAVASCRIPT, "Accept-Ranges: bytes")),
    ],
)
def test_asset_is_compressed_for_a_browser_that_reads_it(
    mlflow: Stub, viewer: Browser, script: bytes, answer: bytes
) -> None:
    mlflow.reply(answer)
    reply = viewer.fetch("GET", MAIN, Accept_Encoding="gzip, deflate, br")
    raw = whole(reply)
    assert reply["Content-Encoding"] == "gzip"
    assert gunzip(raw) == script
    assert len(raw) < len(script) / 10
    assert not {"ETag", "Accept-Ranges"} & set(reply.headers)
    assert reply.get("Content-Length", str(len(raw))) == str(len(raw))
    assert "Accept-Encoding" in reply["Vary"]


@pytest.mark.parametrize("accepted", ["", "identity", "br", "deflate"])
def test_asset_is_plain_for_another(mlflow: Stub, viewer: Browser, accepted: str) -> None:
    mlflow.reply(ok(SCRIPT, JAVASCRIPT))
    reply = viewer.fetch("GET", MAIN, Accept_Encoding=accepted)
    assert "Content-Encoding" not in reply
    assert whole(reply) == SCRIPT


@pytest.mark.parametrize(
    "answer",
    [
        ok(b"\x89PNG" * 100, "Content-Type: image/png"),
        ok(gzipped := zlib.compress(SCRIPT), JAVASCRIPT, "Content-Encoding: deflate"),
        ok(SCRIPT[:9], JAVASCRIPT, "Content-Range: bytes 0-8/240000", status="206 PARTIAL CONTENT"),
    ],
)
def test_asset_that_gains_nothing_or_is_a_part_stays_as_it_is(mlflow: Stub, viewer: Browser, answer: bytes) -> None:
    mlflow.reply(answer)
    reply = viewer.fetch("GET", MAIN, Accept_Encoding="gzip")
    assert reply.get("Content-Encoding") != "gzip"
    assert whole(reply) in answer


def test_json_is_not_compressed(mlflow: Stub, viewer: Browser) -> None:
    reply = viewer.fetch("GET", "/mlflow/version", Accept_Encoding="gzip")
    assert "Content-Encoding" not in reply
    whole(reply)


@pytest.mark.parametrize("kind", ["text/html", "image/svg+xml", "application/xhtml+xml", "text/javascript"])
@pytest.mark.parametrize(
    "path", ["get-artifact?run_uuid=r&path=a", "model-versions/get-artifact?name=m&version=1&path=a"]
)
def test_active_artifact_is_inert_for_a_person_too(mlflow: Stub, viewer: Browser, path: str, kind: str) -> None:
    mlflow.reply(ok(b"<script>alert(1)</script>", f"Content-Type: {kind}"))
    reply = viewer.open(f"/mlflow/{path}")
    assert reply["Content-Disposition"] == "attachment"
    assert reply["Content-Type"] == "application/octet-stream"
    assert reply["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert reply["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "no-store" in reply["Cache-Control"]
    whole(reply)


def test_cut_asset_is_cut_for_the_browser(mlflow: Stub, viewer: Browser) -> None:
    mlflow.reply(
        f"HTTP/1.1 200 OK\r\n{JAVASCRIPT}\r\nContent-Length: {len(SCRIPT)}\r\n\r\n".encode(), SCRIPT[:-1], then="close"
    )
    reply = viewer.fetch("GET", MAIN, Accept_Encoding="gzip")
    with pytest.raises(Exception, match="could not be read"):
        whole(reply)
