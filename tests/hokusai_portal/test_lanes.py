"""The client's lane: the same replies as on the whole way, without what only browsers need, and never a way around."""

import pytest

from tests.hokusai_portal.conftest import SEARCH

TRACKING = "/api/mlflow"
CALL = f"{TRACKING}/api/2.0/mlflow/experiments/search"
SIGNS = [{"Origin": "https://a.example"}, {"Sec-Fetch-Mode": "cors"}, {"Cookie": "sessionid=unknown"}]
FOR_BROWSERS = ("Referrer-Policy", "X-Frame-Options", "Cross-Origin-Opener-Policy")


@pytest.fixture
def keyed(reader, portal):
    portal.defaults["HTTP_AUTHORIZATION"] = f"Bearer {reader.secret.text}"
    return portal


@pytest.mark.parametrize("sign", SIGNS)
def test_reply_is_the_same_with_and_without_the_sign_of_a_browser(keyed, mlflow, sign):
    plain, browser = keyed.get(CALL, RAW_URI=CALL), keyed.get(CALL, RAW_URI=CALL, headers=sign)
    assert (plain.status_code, plain.json()) == (200, {"experiments": []})
    assert (plain.content, plain["Content-Length"]) == (browser.content, browser["Content-Length"])
    assert len(mlflow.log) == 2


@pytest.mark.parametrize("path", [f"{TRACKING}/nowhere", CALL, f"{TRACKING}/api/2.0/mlflow/users/get"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE", "OPTIONS"])
def test_refusal_is_the_same_with_and_without_the_sign_of_a_browser(db, portal, method, path):
    plain, browser = (
        portal.generic(method, path, RAW_URI=path, headers=headers) for headers in ({}, {"Sec-Fetch-Mode": "cors"})
    )
    assert plain.status_code == browser.status_code == 401
    assert plain["Content-Length"] == browser["Content-Length"]
    assert plain["WWW-Authenticate"] == "Bearer"


def test_client_is_told_nothing_that_is_for_browsers(keyed, mlflow):
    reply = keyed.get(CALL, RAW_URI=CALL)
    assert [name for name in FOR_BROWSERS if name in reply] == []
    assert "frame-ancestors 'none'" in reply["Content-Security-Policy"]
    assert reply["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("sign", SIGNS)
def test_browser_is_told_all_of_it(keyed, mlflow, sign):
    reply = keyed.get(CALL, RAW_URI=CALL, headers=sign)
    assert [name for name in FOR_BROWSERS if name not in reply] == []


def test_foreign_host_is_refused_on_the_lane(keyed, mlflow):
    reply = keyed.get(CALL, RAW_URI=CALL, headers={"Host": "evil.example"})
    assert (reply.status_code, mlflow.log) == (400, [])


def test_interface_s_host_has_no_lane(keyed, mlflow, settings):
    settings.ALLOWED_HOSTS, settings.HOKUSAI_UI_HOST = ["portal.example.org", "ui.example.org"], "ui.example.org"
    assert "X-Frame-Options" in keyed.get(CALL, RAW_URI=CALL, headers={"Host": "UI.example.org"})
    assert "X-Frame-Options" not in keyed.get(CALL, RAW_URI=CALL, headers={"Host": "portal.example.org"})


@pytest.mark.parametrize("path", [TRACKING, f"{TRACKING}/", "/api/mlflowx/a", "/mlflow/api/2.0/mlflow/experiments/get"])
def test_lane_begins_below_the_tracking_uri(keyed, path):
    assert "X-Frame-Options" in keyed.get(path, RAW_URI=path)


def test_lane_asks_no_session_and_one_query(keyed, mlflow, django_assert_num_queries):
    with django_assert_num_queries(1):
        assert keyed.get(CALL, RAW_URI=CALL).status_code == 200


def test_mlflow_is_asked_below_its_prefix(keyed, mlflow):
    keyed.get(CALL, RAW_URI=CALL)
    assert [request.path for request, _ in mlflow.log] == [SEARCH]
