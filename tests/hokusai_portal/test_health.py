"""Health: liveness asks nobody, readiness asks everybody, and details are for staff and ``storage:read``."""

import base64
import datetime

import pytest
from django.contrib.auth import hashers
from django.contrib.auth.models import User
from django.db import OperationalError

from apikeys import actions
from hokusai_portal import __version__
from mlflow_proxy.health import database, readiness
from tests.hokusai_portal.conftest import LAYOUT_PROBE, SEARCH

DEPENDENT = ["/ready", "/api/health/mlflow"]
DETAILS = {"detail", "hint", "tracking_uri", "error_type", "error"}


def words_of(response):
    document = response.json()
    return set(document).union(*document.get("checks", []))


@pytest.fixture
def inspector(issue, batch):
    return issue(service=batch, words=["storage:read"])


@pytest.mark.parametrize("path", ["/health", "/live"])
def test_liveness_asks_no_dependency(staff, mlflow, django_assert_num_queries, path):
    with django_assert_num_queries(0):
        assert staff.get(path).status_code == 200
    assert not mlflow.log


@pytest.mark.parametrize("path", ["/health", "/live"])
def test_liveness_without_any_dependency_is_200(portal, mlflow_down, path):
    assert portal.get(path).status_code == 200


@pytest.mark.parametrize("path", ["/health", "/live"])
def test_liveness_head_is_200_and_post_is_405(portal, path):
    assert portal.head(path).status_code == 200
    assert portal.post(path).status_code == 405


def test_health_says_status_version_and_time(portal):
    document = portal.get("/health").json()
    assert datetime.datetime.fromisoformat(document.pop("timestamp")).tzinfo
    assert document == {"status": "ok", "version": __version__}


def test_health_detailed_for_a_stranger_says_no_more(portal):
    assert set(portal.get("/health?detailed=true").json()) == {"status", "version", "timestamp"}


def test_live_says_alive(portal):
    assert portal.get("/live").json() == {"alive": True}


@pytest.mark.parametrize("path", ["/health", "/live", *DEPENDENT])
def test_health_reply_is_never_stored(portal, db, mlflow, path):
    assert "no-store" in portal.get(path)["Cache-Control"]


def test_ready_all_answer_is_200(portal, db, mlflow):
    response = portal.get("/ready")
    document = response.json()
    assert (response.status_code, document["ready"]) == (200, True)
    assert {check["name"]: (check["passed"], check["critical"]) for check in document["checks"]} == {
        "database": (True, True),
        "mlflow": (True, True),
        "mlflow_layout": (True, True),
    }


def test_ready_asks_mlflow_with_the_host_of_the_traffic(portal, db, mlflow):
    portal.get("/ready")
    assert {request.headers["Host"] for request, _ in mlflow.log} == {f"{mlflow.host}:{mlflow.port}"}


def test_ready_mlflow_down_is_503_with_a_reason(portal, db, mlflow_down):
    response = portal.get("/ready")
    document = response.json()
    assert (response.status_code, document["ready"]) == (503, False)
    assert {check["name"]: check["reason"] for check in document["checks"]} == {
        "database": "",
        "mlflow": "UPSTREAM_REFUSED",
        "mlflow_layout": "UPSTREAM_REFUSED",
    }


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (403, "Invalid Host header", "UPSTREAM_HOST_REJECTED"),
        (500, "boom", "UPSTREAM_ANSWERED_ERROR"),
        (404, "", "UPSTREAM_ANSWERED_ERROR"),
    ],
)
def test_ready_mlflow_refusing_is_503(portal, db, upstream, status, body, reason):
    upstream.expect_request(SEARCH).respond_with_data(body, status=status)
    response = portal.get("/ready")
    assert response.status_code == 503
    assert response.json()["checks"][1]["reason"] == reason


@pytest.mark.parametrize("version", ["3.9.0", "4.0.0", "3.170.1", "<html>"])
def test_ready_unknown_version_is_503(portal, db, upstream, version):
    upstream.expect_request(SEARCH).respond_with_json({})
    upstream.expect_request("/mlflow/version").respond_with_data(version)
    response = portal.get("/ready")
    assert response.status_code == 503
    assert response.json()["checks"][2]["reason"] == "UPSTREAM_VERSION_UNKNOWN"


def test_ready_without_native_artifacts_is_503(portal, db, upstream):
    upstream.expect_request(SEARCH).respond_with_json({})
    upstream.expect_request("/mlflow/version").respond_with_data("3.17.2")
    upstream.expect_request(LAYOUT_PROBE).respond_with_json({"detail": "Not Found"}, status=404)
    response = portal.get("/ready")
    assert response.status_code == 503
    assert response.json()["checks"][2]["reason"] == "UPSTREAM_LAYOUT_UNKNOWN"


def test_ready_database_down_is_503_and_mlflow_is_still_asked(portal, mlflow, monkeypatch):
    def fail():
        raise OperationalError

    monkeypatch.setattr(database.connection, "cursor", fail)
    response = portal.get("/ready")
    assert response.status_code == 503
    assert [check["reason"] for check in response.json()["checks"]] == ["DATABASE_UNAVAILABLE", "", ""]


def test_ready_asked_again_at_once_asks_nobody(portal, db, mlflow, monkeypatch):
    first = portal.get("/ready").json()
    # However long "at once" takes here.
    monkeypatch.setattr(readiness, "RECENT_SECONDS", 60)
    asked = len(mlflow.log)
    assert portal.get("/ready").json() == first
    assert portal.get("/api/health/mlflow").status_code == 200
    assert len(mlflow.log) == asked


def test_ready_asked_later_asks_again(portal, db, mlflow, monkeypatch):
    monkeypatch.setattr(readiness, "RECENT_SECONDS", 0)
    portal.get("/ready")
    asked = len(mlflow.log)
    portal.get("/ready")
    assert len(mlflow.log) == 2 * asked


def test_ready_while_another_asks_is_the_last_answer(portal, db, mlflow, monkeypatch, forbid):
    monkeypatch.setattr(readiness, "RECENT_SECONDS", 0)
    portal.get("/ready")
    forbid(readiness, "probe_all")
    with readiness.recent_answers._asking:
        assert portal.get("/ready").status_code == 200


def test_mlflow_health_up_is_200(portal, db, mlflow):
    response = portal.get("/api/health/mlflow")
    document = response.json()
    assert response.status_code == 200
    assert document.pop("latency_ms") >= 0
    assert document == {"status": "ok"}


def test_mlflow_health_down_is_503(portal, db, mlflow_down):
    response = portal.get("/api/health/mlflow")
    assert response.status_code == 503
    assert response.json()["status"] == "error"


@pytest.mark.parametrize("path", DEPENDENT)
def test_details_anonymous_sees_none(portal, db, mlflow_down, path):
    response = portal.get(path)
    assert not words_of(response) & DETAILS
    assert mlflow_down.rpartition(":")[2] not in response.content.decode()


@pytest.mark.parametrize("path", DEPENDENT)
def test_details_reader_sees_none(portal, mlflow, reader, bearer, path):
    assert not words_of(portal.get(path, headers=bearer(reader))) & DETAILS


@pytest.mark.parametrize("path", DEPENDENT)
def test_details_holder_of_storage_read_sees_them(portal, mlflow, inspector, bearer, path):
    assert words_of(portal.get(path, headers=bearer(inspector))) & DETAILS


@pytest.mark.parametrize("path", DEPENDENT)
def test_details_staff_sees_them(staff, mlflow, path):
    assert words_of(staff.get(path)) & DETAILS


@pytest.mark.parametrize("path", DEPENDENT)
def test_details_signed_in_without_staff_sees_none(portal, db, mlflow, path):
    portal.force_login(User.objects.create(username="guest"))
    assert not words_of(portal.get(path)) & DETAILS


@pytest.mark.parametrize("path", DEPENDENT)
def test_details_revoked_key_is_no_error_and_sees_none(portal, mlflow, inspector, bearer, actor, path):
    actions.revoke_key(key=inspector.row, reason="lost", actor=actor)
    response = portal.get(path, headers=bearer(inspector))
    assert response.status_code == 200
    assert not words_of(response) & DETAILS


@pytest.mark.parametrize("path", DEPENDENT)
def test_details_key_of_a_missing_pepper_is_no_error_and_sees_none(portal, mlflow, inspector, bearer, settings, path):
    settings.HOKUSAI_KEY_PEPPERS = {9: b"z" * 32}
    response = portal.get(path, headers=bearer(inspector))
    assert response.status_code == 200
    assert not words_of(response) & DETAILS


@pytest.mark.parametrize("path", DEPENDENT)
def test_cookie_and_key_bad_key_hides_details_despite_the_cookie(staff, mlflow, path):
    assert not words_of(staff.get(path, headers={"Authorization": "Bearer hunter2"})) & DETAILS


@pytest.mark.parametrize("path", DEPENDENT)
def test_basic_auth_forms_user_of_another_service_sees_no_details(portal, mlflow, inspector, path):
    encoded = base64.b64encode(f"platform:{inspector.secret.text}".encode()).decode()
    assert not words_of(portal.get(path, headers={"Authorization": f"Basic {encoded}"})) & DETAILS


@pytest.mark.parametrize("path", DEPENDENT)
def test_staff_password_on_api_shows_no_details_and_calls_no_hasher(portal, db, mlflow, settings, forbid, path):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    User.objects.create_superuser("root", "", "correct horse")
    forbid(hashers, "check_password", "verify_password", "make_password")
    forbid(hashers.MD5PasswordHasher, "encode")
    encoded = base64.b64encode(b"root:correct horse").decode()
    assert not words_of(portal.get(path, headers={"Authorization": f"Basic {encoded}"})) & DETAILS
