"""Key validation: good, bad, and good but another service's are three different answers."""

import pytest
from django.db import OperationalError
from structlog.testing import capture_logs

from apikeys import actions, authentication, sunsets
from apikeys.models import AuditEvent

PATH = "/api/v1/keys/validate"


def ask(portal, document=None, headers=None):
    return portal.post(PATH, {} if document is None else document, content_type="application/json", headers=headers)


def test_validate_key_in_a_header_is_good(portal, reader, bearer):
    response = ask(portal, headers=bearer(reader))
    assert response.status_code == 200
    assert "no-store" in response["Cache-Control"]
    assert response.json() == {
        "is_valid": True,
        "key_id": reader.row.public_id,
        "user_id": "",
        "service_id": "platform",
        "scopes": ["artifact:read", "mlflow:read", "model:read"],
        "expires_at": reader.row.expires_at.isoformat(),
    }


def test_validate_key_in_the_body_is_good(portal, reader):
    assert ask(portal, {"api_key": reader.secret.text}).json()["key_id"] == reader.row.public_id


def test_validate_trailing_slash_is_answered_without_redirect(portal, reader):
    response = portal.post(f"{PATH}/", {"api_key": reader.secret.text}, content_type="application/json")
    assert response.status_code == 200


def test_validate_expected_service_named_by_the_caller_passes(portal, stranger):
    assert ask(portal, {"api_key": stranger.secret.text, "service_id": "batch"}).json()["service_id"] == "batch"


def test_validate_key_of_another_service_is_403_naming_both(portal, stranger):
    response = ask(portal, {"api_key": stranger.secret.text, "service_id": "platform"})
    document = response.json()
    assert response.status_code == document["status"] == 403
    assert response["Content-Type"] == "application/problem+json"
    assert document["reason"] == "SERVICE_MISMATCH"
    assert (document["expected_service"], document["actual_service"]) == ("platform", "batch")
    assert "batch" in document["detail"]
    assert "platform" in document["detail"]


def test_validate_without_service_expects_the_default_one(portal, stranger):
    assert ask(portal, {"api_key": stranger.secret.text}).status_code == 403


@pytest.mark.parametrize("service_id", [None, 1, ["platform"], {"platform": 1}, ""])
def test_validate_service_that_is_no_id_is_a_mismatch(portal, reader, service_id):
    assert ask(portal, {"api_key": reader.secret.text, "service_id": service_id}).status_code == 403


@pytest.mark.parametrize(
    "reason", ["KEY_UNKNOWN", "KEY_SECRET_WRONG", "KEY_REVOKED", "KEY_EXPIRED", "KEY_DISABLED", "SERVICE_DISABLED"]
)
def test_refusal_indistinguishable_in_validation(portal, refused, reason):
    response = ask(portal, {"api_key": refused[reason].secret.text})
    document = response.json()
    assert (response.status_code, response["WWW-Authenticate"]) == (401, "Bearer")
    assert document.pop("request_id") == response["X-Request-ID"]
    assert document == {
        "type": "/api/docs/errors#UNAUTHENTICATED",
        "title": "No valid API key, and no session of staff",
        "status": 401,
        "reason": "UNAUTHENTICATED",
        "detail": "The API key is not valid. Ask its service's owner for a new one.",
    }


def test_validate_without_key_is_401(portal, db):
    assert ask(portal).status_code == 401


@pytest.mark.parametrize("key", [1, ["a"], {"a": 1}, True])
def test_validate_key_that_is_no_text_is_400(portal, db, key):
    assert ask(portal, {"api_key": key}).status_code == 400


@pytest.mark.parametrize("body", ["[]", '"text"', "{", "\x00"])
def test_validate_body_that_is_no_object_is_400(portal, reader, bearer, body):
    response = portal.post(PATH, body, content_type="application/json", headers=bearer(reader))
    assert response.status_code == 400
    assert response["Content-Type"] == "application/problem+json"


def test_validate_get_is_405(portal, reader, bearer):
    assert portal.get(PATH, headers=bearer(reader)).status_code == 405


def test_validate_bad_key_is_never_logged(portal, refused):
    secret = refused["KEY_REVOKED"].secret.text
    with capture_logs() as logs:
        ask(portal, {"api_key": secret})
    assert secret[20:] not in str(logs)


def test_validate_changes_nothing(portal, reader):
    events = AuditEvent.objects.count()
    ask(portal, {"api_key": reader.secret.text})
    assert AuditEvent.objects.count() == events


def test_validate_database_down_is_503_and_not_401(portal, monkeypatch):
    def fail(*args):
        raise OperationalError

    monkeypatch.setattr(authentication.Claim, "__init__", fail)
    response = ask(portal, {"api_key": "any"})
    assert (response.status_code, response["Retry-After"]) == (503, "2")
    assert response.json()["reason"] == "DATABASE_UNAVAILABLE"


def test_validate_bug_is_left_to_djangos_handler(portal, monkeypatch):
    def fail(*args):
        raise RuntimeError("a bug")

    monkeypatch.setattr(authentication.Claim, "__init__", fail)
    portal.raise_request_exception = False
    response = ask(portal, {"api_key": "any"})
    assert response.status_code == 500
    assert response.json()["error_code"] == "INTERNAL_ERROR"
    assert "a bug" not in response.content.decode()


def test_validate_key_of_the_last_days_tells_its_end(portal, issue):
    ending = issue(expires_in_days=7)
    response = ask(portal, {"api_key": ending.secret.text})
    assert response["X-Hokusai-Key-Expires"] == ending.row.expires_at.replace(microsecond=0).isoformat()
    assert "Deprecation" not in response


def test_validate_key_in_grace_tells_since_when(portal, reader, actor):
    successor = actions.rotate_key(key=reader.row, actor=actor).row
    response = ask(portal, {"api_key": reader.secret.text, "service_id": "batch"})
    assert (response.status_code, response["Deprecation"]) == (403, f"@{int(successor.created_at.timestamp())}")


@pytest.mark.parametrize("name", sunsets.NAMES)
def test_validate_key_that_is_refused_tells_no_end(portal, refused, name):
    assert name not in ask(portal, {"api_key": refused["KEY_EXPIRED"].secret.text})
