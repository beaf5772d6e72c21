"""Whose page makes the browser ask: a change needs the interface's exact origin, and no form can send it."""

from typing import Any

import pytest

from tests.mlflow_proxy.stub import Stub
from tests.mlflow_proxy.ui.conftest import Browser, whole

CREATE = "/mlflow/ajax-api/2.0/mlflow/experiments/create"
UPLOAD = "/mlflow/ajax-api/2.0/mlflow/upload-artifact?run_uuid=r&path=a"
UNSAFE = [
    ("POST", CREATE),
    ("POST", UPLOAD),
    ("POST", "/mlflow/graphql"),
    ("PATCH", "/mlflow/ajax-api/2.0/mlflow/model-versions/update"),
    ("DELETE", "/mlflow/ajax-api/2.0/mlflow/registered-models/delete"),
    ("PUT", "/mlflow/api/2.0/mlflow-artifacts/artifacts/0/run/artifacts/a.txt"),
    ("POST", "/mlflow/ajax-api/2.0/mlflow/runs/search"),
]
FOREIGN = {
    "another site": {"Origin": "https://evil.example", "Sec_Fetch_Site": "cross-site"},
    "another site of an old browser": {"Origin": "https://evil.example", "Sec_Fetch_Site": None},
    "a sister host": {"Origin": "http://ui.testserver", "Sec_Fetch_Site": "same-site"},
    "another port": {"Origin": "http://testserver:8080"},
    "another scheme": {"Origin": "https://testserver"},
    "a sandbox": {"Origin": "null"},
    "nobody": {"Origin": None},
    "no origin, no metadata": {"Origin": None, "Sec_Fetch_Site": None, "Sec_Fetch_Mode": None},
    "an address typed": {"Sec_Fetch_Site": "none"},
    "a form of the own page": {"Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"},
    "a form's fields": {"Content_Type": "application/x-www-form-urlencoded"},
    "a form with files": {"Content_Type": "multipart/form-data; boundary=x"},
    "plain text": {"Content_Type": "text/plain;charset=UTF-8"},
    "plain text, shouted": {"Content_Type": "TEXT/PLAIN"},
}


@pytest.mark.parametrize("changes", FOREIGN.values(), ids=FOREIGN)
@pytest.mark.parametrize(("method", "path"), UNSAFE)
def test_change_by_a_foreign_page_is_403(
    mlflow: Stub, editor: Browser, method: str, path: str, changes: dict[str, str | None]
) -> None:
    reply = editor.fetch(method, path, b"{}", **changes)
    assert (reply.status_code, reply.json()["reason"]) == (403, "ORIGIN_REFUSED")
    assert mlflow.connections == 0


def test_change_by_the_own_page_over_plain_http_is_served(mlflow: Stub, editor: Browser) -> None:
    """Browsers send fetch metadata to trustworthy addresses alone."""
    absent: Any = {"Sec_Fetch_Site": None, "Sec_Fetch_Mode": None, "Sec_Fetch_Dest": None}
    assert editor.fetch("POST", CREATE, b'{"name":"x"}', **absent).status_code == 200


def test_change_without_fetch_metadata_over_https_is_403(mlflow: Stub, editor: Browser, settings: Any) -> None:
    settings.HOKUSAI_PUBLIC_URL = origin = "https://portal.example.org"
    absent: Any = {"Sec_Fetch_Site": None, "Sec_Fetch_Mode": None, "Sec_Fetch_Dest": None}
    reply = editor.fetch("POST", CREATE, b'{"name":"x"}', Origin=origin, **absent)
    assert (reply.status_code, reply.json()["reason"]) == (403, "ORIGIN_REFUSED")
    assert mlflow.connections == 0


@pytest.mark.parametrize(
    ("public_url", "ui_host", "origin"),
    [
        ("https://portal.example.org", "", "https://portal.example.org"),
        ("https://portal.example.org:443", "", "https://portal.example.org"),
        ("https://portal.example.org:8443", "", "https://portal.example.org:8443"),
        ("HTTPS://Portal.example.org", "", "https://portal.example.org"),
        ("https://portal.example.org", "testserver", "https://testserver"),
    ],
)
def test_own_origin_is_that_of_the_configured_address(
    mlflow: Stub, editor: Browser, settings: Any, public_url: str, ui_host: str, origin: str
) -> None:
    settings.HOKUSAI_PUBLIC_URL, settings.HOKUSAI_UI_HOST = public_url, ui_host
    if ui_host:
        session = editor.session
        session["ui_host"] = True
        session.save()
    assert editor.fetch("POST", CREATE, b'{"name":"x"}', Origin=origin).status_code == 200
    # The Host of the request is no proof of where its page came from.
    assert editor.fetch("POST", CREATE, b'{"name":"x"}', Origin="http://testserver").status_code == 403


@pytest.mark.parametrize(
    "changes",
    [
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "no-cors", "Sec_Fetch_Dest": "script"},
        {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "iframe"},
        {"Sec_Fetch_Site": "same-site", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "embed"},
    ],
)
def test_read_by_a_foreign_page_is_403(mlflow: Stub, viewer: Browser, changes: dict[str, str]) -> None:
    reply = viewer.fetch("GET", "/mlflow/get-artifact?run_uuid=r&path=a", **changes)
    assert (reply.status_code, reply.json()["reason"]) == (403, "ORIGIN_REFUSED")
    assert mlflow.connections == 0


@pytest.mark.parametrize("site", ["none", "same-origin", "same-site", "cross-site"])
def test_link_from_anywhere_opens_a_page(mlflow: Stub, viewer: Browser, site: str) -> None:
    reply = viewer.open("/mlflow/", Sec_Fetch_Site=site)
    assert reply.status_code == 200
    whole(reply)
