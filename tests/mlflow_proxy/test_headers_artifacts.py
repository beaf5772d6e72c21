"""Replies with artifact bytes: inert in a browser, whatever MLflow says of them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlflow_proxy import headers
from mlflow_proxy.routes import ROUTES, Route, find

FILE = find("GET", ("api", "2.0", "mlflow-artifacts", "artifacts", "0", "r", "artifacts", "a"))
METADATA = find("GET", ("api", "2.0", "mlflow", "runs", "get"))
DOWNLOADS = [row for row in ROUTES if row.scope == "artifact:read" and row.traffic == "transfer"]
BYTES = "application/octet-stream"
SCRIPTABLE = [
    *("text/html", "text/html; charset=utf-8", "TEXT/HTML", " text/html", "text/xml", "text/javascript", "text/css"),
    *("image/svg+xml", "Image/SVG+XML;x=y", "application/xhtml+xml", "application/xml", "application/rss+xml"),
    *("application/javascript", "application/x-javascript", "application/ecmascript", "application/pdf", "text/xsl"),
    "application/atom+xml",
]
HARMLESS = [
    *("text/plain", "text/csv", "application/json", "application/octet-stream", "image/png", "image/jpeg", "video/mp4"),
    "application/zip",
]


def told(*received: tuple[str, str], route: Route = FILE) -> dict[str, str]:
    return headers.inbound(received, route)


def test_every_door_of_artifact_bytes_is_a_transfer() -> None:
    """The side doors outside of the artifact protocol, too: a row that is missing here would not be hardened."""
    names = {row.template.rpartition("/")[2] for row in DOWNLOADS}
    assert names == {"{artifact_path}", "get-artifact", "get-trace-artifact", "files"}


@pytest.mark.parametrize("route", DOWNLOADS, ids=lambda row: row.template)
def test_active_artifact_reply_of_every_door_is_hardened(route: Route) -> None:
    reply = told(("Content-Type", "text/html"), ("Content-Disposition", "inline"), route=route)
    assert reply["Content-Type"] == BYTES
    assert reply["Content-Disposition"] == "attachment"
    assert reply["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert reply["Cross-Origin-Resource-Policy"] == "same-origin"
    assert reply["X-Content-Type-Options"] == "nosniff"
    assert reply["Cache-Control"] == "private, no-store"


@pytest.mark.parametrize("kind", SCRIPTABLE)
def test_active_artifact_scriptable_type_becomes_bytes(kind: str) -> None:
    assert told(("Content-Type", kind))["Content-Type"] == BYTES


@pytest.mark.parametrize("kind", HARMLESS)
def test_harmless_type_is_kept(kind: str) -> None:
    assert told(("Content-Type", kind))["Content-Type"] == kind


def test_active_artifact_without_a_type_becomes_bytes() -> None:
    assert told()["Content-Type"] == BYTES


@pytest.mark.parametrize(
    "disposition",
    ["inline", "inline; filename=a.html", "", "attachmentx", "x; attachment", "form-data; name=attachment"],
)
def test_active_artifact_to_be_shown_is_to_be_saved(disposition: str) -> None:
    assert told(("Content-Disposition", disposition))["Content-Disposition"] == "attachment"


@pytest.mark.parametrize(
    "disposition", ["attachment", "attachment; filename*=UTF-8''%C3%BC.txt", "Attachment; filename=a"]
)
def test_name_of_an_attachment_is_kept(disposition: str) -> None:
    assert told(("Content-Disposition", disposition))["Content-Disposition"] == disposition


@pytest.mark.parametrize("route", [FILE, METADATA], ids=["artifact", "metadata"])
@pytest.mark.parametrize(
    "name",
    [
        *(
            "Set-Cookie",
            "Location",
            "Server",
            "Refresh",
            "Link",
            "X-Frame-Options",
            "Clear-Site-Data",
            "Service-Worker-Allowed",
        ),
        *("Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Access-Control-Expose-Headers"),
        *("Content-Security-Policy", "Content-Security-Policy-Report-Only", "Cross-Origin-Resource-Policy", "Expires"),
    ],
)
def test_upstream_word_over_the_browser_never_passes(name: str, route: Route) -> None:
    assert "planted" not in told((name, "planted"), (name.lower(), "planted"), route=route).values()


@pytest.mark.parametrize("route", [FILE, METADATA], ids=["artifact", "metadata"])
def test_caching_upstream_word_is_replaced(route: Route) -> None:
    reply = told(("Cache-Control", "public, max-age=9"), ("Vary", "X"), ("cache-control", "immutable"), route=route)
    assert {name: reply[name] for name in headers.HARDENING} == headers.HARDENING


def test_metadata_reply_keeps_its_type() -> None:
    reply = told(("Content-Type", "application/json"), route=METADATA)
    assert reply == {"Content-Type": "application/json"} | headers.HARDENING


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(SCRIPTABLE),
    st.sampled_from(["Content-Type", "content-type", "CONTENT-TYPE"]),
    st.text("; =\tab-8", max_size=9),
)
def test_active_artifact_scriptable_type_of_any_spelling_becomes_bytes(kind: str, name: str, more: str) -> None:
    assert told((name, f"{kind};{more}"))["Content-Type"] == BYTES
