"""P0 31: bytes of an artifact are inert in a browser by every door, and no reply may be kept; names carry the case."""

import pytest

from tests.mlflow_proxy.portal import Portal
from tests.mlflow_proxy.stub import Stub, ok
from tests.mlflow_proxy.wire import FILES, SEARCH, M, call

PAGE = b"<script>alert(document.cookie)</script>"
DOORS = [
    f"{FILES}/0/run/artifacts/page.html",
    "/mlflow/ajax-api/2.0/mlflow-artifacts/artifacts/0/run/artifacts/page.html",
    f"{M}/get-artifact?run_uuid=r&path=page.html",
    "/mlflow/get-artifact?run_uuid=r&path=page.html",
    f"{M}/model-versions/get-artifact?name=m&version=1&path=page.html",
    f"{M}/ajax-api/2.0/mlflow/get-trace-artifact?request_id=t&path=page.html",
    f"{M}/ajax-api/3.0/mlflow/get-trace-artifact?request_id=t&path=page.html",
    f"{M}/ajax-api/2.0/mlflow/logged-models/m-1/artifacts/files?artifact_file_path=page.html",
]
UNSAFE = (
    "Content-Disposition: inline",
    "Set-Cookie: sessionid=planted",
    "Access-Control-Allow-Origin: https://evil.example",
    "Access-Control-Allow-Credentials: true",
    "Content-Security-Policy: default-src *",
    "Location: https://evil.example",
    "Refresh: 0; url=https://evil.example",
    "Cache-Control: public, max-age=31536000, immutable",
    "Vary: X-Nothing",
    "Server: planted",
)


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    "kind", ["text/html", "image/svg+xml", "application/xhtml+xml", "application/pdf", "text/javascript"]
)
def test_p0_31_active_artifact_is_inert_by_every_door(served: Portal, upstream: Stub, kind: str, door: str) -> None:
    upstream.reply(ok(PAGE, f"Content-Type: {kind}", *UNSAFE))
    reply = call(served, "GET", door)
    assert (reply.status, reply.body) == (200, PAGE)
    assert reply.headers["content-type"] == "application/octet-stream"
    assert reply.headers["content-disposition"] == "attachment"
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in reply.headers["content-security-policy"]
    assert "default-src 'none'" in reply.headers["content-security-policy"]
    assert reply.headers["cross-origin-resource-policy"] == "same-origin"


def test_p0_31_active_artifact_keeps_its_name(served: Portal, upstream: Stub) -> None:
    upstream.reply(ok(PAGE, "Content-Type: text/html", "Content-Disposition: attachment; filename=page.html"))
    assert call(served, "GET", DOORS[0]).headers["content-disposition"] == "attachment; filename=page.html"


def test_p0_31_picture_keeps_its_type(served: Portal, upstream: Stub) -> None:
    upstream.reply(ok(b"\x89PNG", "Content-Type: image/png"))
    assert call(served, "GET", DOORS[0]).headers["content-type"] == "image/png"


@pytest.mark.parametrize("target", [DOORS[0], SEARCH], ids=["artifact", "metadata"])
def test_upstream_word_over_the_browser_never_passes(served: Portal, upstream: Stub, target: str) -> None:
    upstream.reply(ok(b"{}", *UNSAFE))
    reply = call(served, "GET", target)
    assert not {"set-cookie", "location", "refresh", "access-control-allow-credentials"} & set(reply.headers)
    assert "evil.example" not in str(reply.headers)
    assert "planted" not in str(reply.headers)
    assert "default-src *" not in reply.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("method", "target", "who"),
    [
        ("GET", DOORS[0], "operator"),
        ("GET", SEARCH, "operator"),
        ("GET", f"{FILES}/0/run/artifacts/x.css", "operator"),
        ("GET", f"{M}/api/3.0/mlflow/server-info", "operator"),
        ("GET", f"{FILES}?path=", "operator"),
        ("GET", f"{M}/nowhere", "operator"),
        ("GET", f"{M}/a//b", "operator"),
        ("DELETE", f"{FILES}/0/run/artifacts/a", "reader"),
        ("GET", SEARCH, None),
    ],
)
def test_caching_no_reply_of_the_proxy_may_be_kept(
    served: Portal, upstream: Stub, method: str, target: str, who: str | None
) -> None:
    upstream.reply(ok(b"{}", "Cache-Control: public, max-age=9", "Vary: X-Nothing"))
    reply = call(served, method, target, who=who)
    assert "no-store" in reply.headers["cache-control"]
    assert "public" not in reply.headers["cache-control"]
    assert {"authorization", "cookie", "origin"} <= set(reply.headers["vary"].lower().replace(",", " ").split())
    assert "x-nothing" not in reply.headers["vary"].lower()


def test_caching_error_of_mlflow_may_not_be_kept(served: Portal, upstream: Stub) -> None:
    upstream.reply(ok(b'{"error_code":"X"}', "Cache-Control: public", status="404 Not Found"))
    assert call(served, "GET", SEARCH).headers["cache-control"] == "private, no-store"
