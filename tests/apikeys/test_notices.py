"""Notices of keys that end: one for each threshold, in the audit trail, and by mail to whoever is the contact."""

import datetime
import smtplib

import pytest
from django.core import mail

from apikeys import actions, contacts, notices
from apikeys.models import ApiKey, AuditEvent, Service, database_now

DAY = datetime.timedelta(days=1)


@pytest.fixture
def mails(settings):
    settings.MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}
    settings.HOKUSAI_PUBLIC_URL = "https://registry.example.org"
    return mail.outbox


@pytest.fixture
def key(issue):
    """A key of 90 days, with a factory of moments before its end."""
    return issue(expires_in_days=90).row


@pytest.fixture
def contact(platform):
    Service.objects.filter(pk=platform.pk).update(contact="team@example.org")


def leave(key, days):
    """Move a key's whole life so that so many days are left."""
    shift = key.expires_at - (database_now() + days * DAY)
    ApiKey.objects.filter(pk=key.pk).update(created_at=key.created_at - shift, expires_at=key.expires_at - shift)
    key.refresh_from_db()


def days_noticed():
    events = AuditEvent.objects.filter(action=actions.EXPIRY_NOTICED).order_by("pk")
    return [event.after["days"] for event in events]


@pytest.mark.parametrize(
    ("left", "days"), [(31, []), (29.9, [30]), (7.5, [30]), (6.9, [7]), (1.5, [7]), (0.9, [1]), (0.001, [1])]
)
def test_notice_is_that_of_the_nearest_threshold(key, actor, left, days):
    leave(key, left)
    notices.send_due(actor)
    assert days_noticed() == days


@pytest.mark.parametrize(("left", "days"), [(29, 30), (6, 7), (0.9, 1)])
def test_notice_is_given_once_for_a_threshold(key, actor, left, days):
    leave(key, left)
    notices.send_due(actor)
    notices.send_due(actor)
    assert days_noticed() == [days]


@pytest.mark.parametrize(("left", "noticed"), [(6, [30, 7]), (0.9, [30, 1]), (20, [30])])
def test_notice_of_a_nearer_threshold_follows_that_of_a_farther_one(key, actor, left, noticed):
    leave(key, left)
    actions.record_expiry_notice(key=key, days=30, is_mailed=False, actor=actor)
    notices.send_due(actor)
    assert days_noticed() == noticed


def test_notice_says_for_which_end(key, actor):
    leave(key, 6)
    notices.send_due(actor)
    event = AuditEvent.objects.get(action=actions.EXPIRY_NOTICED)
    assert (event.object_id, event.service_id, event.actor) == (key.public_id, "platform", actor.name)
    assert event.after == {"days": 7, "expires_at": key.expires_at.isoformat(), "is_mailed": False}


def test_key_that_was_born_behind_a_threshold_is_not_noticed_for_it(issue, actor):
    issue(expires_in_days=5)
    notices.send_due(actor)
    assert days_noticed() == []


@pytest.mark.parametrize("end", ["revoked", "rotated", "expired", "disabled"])
def test_key_that_needs_no_notice_gets_none(key, actor, platform, end):
    leave(key, -1 if end == "expired" else 6)
    if end == "revoked":
        actions.revoke_key(key=key, reason="lost", actor=actor)
    if end == "rotated":
        actions.rotate_key(key=key, grace=datetime.timedelta(hours=12), actor=actor)
    if end == "disabled":
        actions.disable_service(service=platform, reason="paused", actor=actor)
    notices.send_due(actor)
    assert days_noticed() == []


def test_mail_goes_to_the_contact_and_says_what_to_do(key, actor, contact, mails):
    leave(key, 6)
    assert notices.send_due(actor) == {"noticed": 1, "mailed": 1, "unsent": 0}
    (sent,) = mails
    assert sent.to == ["team@example.org"]
    assert sent.subject == f"API key {key} of platform expires within 7 days"
    assert f"manage.py rotate_key {key}" in sent.body
    assert "never" in sent.body


def test_mail_of_the_last_day_says_tomorrow(key, actor, contact, mails):
    leave(key, 0.5)
    notices.send_due(actor)
    assert mails[0].subject.endswith("expires tomorrow")


@pytest.mark.parametrize("who", ["", "the platform team", "team@"])
def test_contact_that_is_no_address_is_mailed_nothing(key, actor, platform, mails, who):
    Service.objects.filter(pk=platform.pk).update(contact=who)
    leave(key, 6)
    assert notices.send_due(actor) == {"noticed": 1, "mailed": 0, "unsent": 0}
    assert mails == []


def test_notice_without_a_mail_server_is_recorded(key, actor, contact):
    leave(key, 6)
    assert notices.send_due(actor) == {"noticed": 1, "mailed": 0, "unsent": 0}


def test_mail_that_did_not_go_out_is_tried_again(key, actor, contact, mails, monkeypatch):
    leave(key, 6)
    with monkeypatch.context() as patch:
        patch.setattr(contacts.EmailMessage, "send", raising(smtplib.SMTPServerDisconnected()))
        assert notices.send_due(actor) == {"noticed": 0, "mailed": 0, "unsent": 1}
    assert notices.send_due(actor) == {"noticed": 1, "mailed": 1, "unsent": 0}
    assert days_noticed() == [7]


def test_contact_that_the_mail_server_refuses_is_not_tried_for_ever(key, actor, contact, mails, monkeypatch):
    leave(key, 6)
    monkeypatch.setattr(contacts.EmailMessage, "send", raising(smtplib.SMTPRecipientsRefused({})))
    assert notices.send_due(actor) == {"noticed": 1, "mailed": 0, "unsent": 0}
    assert notices.send_due(actor) == {"noticed": 0, "mailed": 0, "unsent": 0}


def test_notices_that_are_given_cost_the_same_however_many_keys_there_are(issue, actor, django_assert_num_queries):
    for _ in range(5):
        leave(issue(expires_in_days=90).row, 20)
    assert notices.send_due(actor)["noticed"] == 5
    with django_assert_num_queries(3):
        assert notices.send_due(actor)["noticed"] == 0


def raising(error):
    def fail(*args, **kwargs):
        raise error

    return fail
