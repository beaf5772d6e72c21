"""Pages and last-resort errors: a browser gets a page, a client gets JSON, and nobody learns what went wrong inside."""

import pytest
from django.core.exceptions import PermissionDenied, SuspiciousOperation

from hokusai_portal import views

BROWSER = {"Accept": "text/html,application/xhtml+xml"}


def test_home_says_how_to_begin(portal):
    text = portal.get("/").content.decode()
    assert "MLFLOW_TRACKING_URI=http://testserver/api/mlflow" in text
    assert "MLFLOW_TRACKING_TOKEN=hk_live_" in text


def test_home_sets_no_cookie_and_asks_no_database(portal, db, django_assert_num_queries):
    with django_assert_num_queries(0):
        assert not portal.get("/").cookies


def test_home_allows_no_foreign_script_or_frame(portal):
    policy = portal.get("/")["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "same-origin"),
        ("X-Frame-Options", "DENY"),
    ],
)
def test_home_is_hardened(portal, name, value):
    assert portal.get("/")[name] == value


def test_not_found_for_a_client_is_json_that_helps(portal):
    document = portal.get("/nowhere").json()
    assert (document["error_code"], document["reason"]) == ("ENDPOINT_NOT_FOUND", "ROUTE_UNKNOWN")
    assert "/api/mlflow" in document["message"]


def test_not_found_for_a_browser_is_a_page_with_the_request_id(portal):
    response = portal.get("/nowhere", headers=BROWSER)
    assert response.status_code == 404
    assert response["X-Request-ID"] in response.content.decode()
    assert response["Content-Type"].startswith("text/html")


def test_not_found_never_repeats_the_path(portal):
    response = portal.get("/nowhere<script>", headers=BROWSER)
    assert "script" not in response.content.decode()


def test_not_found_below_an_api_prefix_is_json_even_for_a_browser(portal):
    assert portal.get("/api/nowhere", headers=BROWSER)["Content-Type"] == "application/json"


def test_foreign_host_is_400_json(portal):
    response = portal.get("/nowhere", headers={"Host": "evil.example"})
    assert response.status_code == 400
    assert response.json()["error_code"] == "BAD_REQUEST"
    assert "evil" not in response.content.decode()


def test_form_without_token_is_403_that_says_what_to_do(portal, db):
    portal.handler.enforce_csrf_checks = True
    response = portal.post("/admin/login/", {"username": "root"})
    assert (response.status_code, response.json()["reason"]) == (403, "CSRF_FAILED")


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (RuntimeError("inner words"), 500, "INTERNAL_ERROR"),
        (PermissionDenied("inner words"), 403, "PERMISSION_DENIED"),
        (SuspiciousOperation("inner words"), 400, "BAD_REQUEST"),
    ],
)
def test_failure_for_a_client_is_json_without_inner_words(portal, monkeypatch, error, status, code):
    def fail(*args):
        raise error

    monkeypatch.setattr(views, "render", fail)
    portal.raise_request_exception = False
    response = portal.get("/")
    assert (response.status_code, response.json()["error_code"]) == (status, code)
    assert response.json()["request_id"] == response["X-Request-ID"]
    assert "inner" not in response.content.decode()
