"""Leaked keys: whoever holds one may end it, once and for all; who holds none learns nothing."""

import pytest
from django.core import mail

from apikeys import actions, failures, usage
from apikeys.models import ApiKey, AuditEvent
from tests.apikeys.api.conftest import reason


def report(portal, key, **headers):
    return portal.post("/api/v1/leaks", {"key": key}, content_type="application/json", headers=headers)


@pytest.fixture
def mailed(settings, batch, actor):
    """A service whose contact can be reached."""
    settings.MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}
    return actions.change_service(service=batch, contact="data@example.org", actor=actor)


def test_reported_key_is_revoked_and_written_down(portal, reader):
    response = report(portal, reader.secret.text)
    assert (response.status_code, response["Cache-Control"]) == (200, "no-store")
    event = AuditEvent.objects.get(action="api_key_revoked", object_id=reader.row.public_id)
    assert (event.actor, event.address, event.reason) == (
        "leak report",
        "127.0.0.1",
        "Reported as leaked by somebody who holds it",
    )
    assert reader.secret.text[20:] not in response.content.decode()


def test_report_is_answered_the_same_however_often_it_comes(portal, reader):
    first, second = (report(portal, reader.secret.text) for _ in range(2))
    assert first.json() == second.json()
    assert AuditEvent.objects.filter(action="api_key_revoked").count() == 1


def test_report_of_a_key_that_works_no_more_still_ends_it(portal, refused):
    for word in ("KEY_REVOKED", "KEY_EXPIRED", "KEY_DISABLED", "SERVICE_DISABLED"):
        assert report(portal, refused[word].secret.text).json()["status"] == "revoked"
        assert ApiKey.objects.get(pk=refused[word].row.pk).is_revoked


@pytest.mark.parametrize("word", ["KEY_UNKNOWN", "KEY_SECRET_WRONG"])
def test_report_by_somebody_who_holds_no_key_is_401_and_counted(portal, refused, word):
    response = report(portal, refused[word].secret.text)
    assert (response.status_code, reason(response)) == (401, "UNAUTHENTICATED")
    for _ in range(30):
        response = report(portal, refused[word].secret.text)
    assert (response.status_code, reason(response)) == (429, "TOO_MANY_FAILURES")


@pytest.mark.parametrize("key", ["", "hk_live_nonsense", "x" * 300])
def test_report_of_what_is_no_key_is_401(portal, db, key):
    assert report(portal, key).status_code == 401


@pytest.mark.parametrize("sent", [{}, {"kye": "hk_live_x"}, {"key": None}])
def test_report_without_a_key_in_the_body_does_not_end_the_reporter_s_own(portal, reader, bearer, sent):
    response = portal.post("/api/v1/leaks", sent, content_type="application/json", headers=bearer(reader))
    assert (response.status_code, reason(response)) == (401, "UNAUTHENTICATED")
    assert not ApiKey.objects.get(pk=reader.row.pk).is_revoked


def test_report_tells_the_service_s_contact_once(portal, mailed, stranger):
    for _ in range(2):
        report(portal, stranger.secret.text)
    (message,) = mail.outbox
    assert message.to == ["data@example.org"]
    assert stranger.row.public_id in message.subject
    assert stranger.secret.text[20:] not in message.body


def test_report_is_no_use_of_the_key(portal, reader):
    report(portal, reader.secret.text)
    usage.flush()
    assert ApiKey.objects.get(pk=reader.row.pk).last_used_at is None
    assert reader.row.public_id not in failures._good
