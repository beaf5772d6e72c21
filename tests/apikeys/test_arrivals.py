"""Notices of new networks: none for the first, one for each further one, in the audit trail and by mail."""

import smtplib

import pytest
from django.core import mail

from apikeys import actions, arrivals, contacts, sightings
from apikeys.models import AuditEvent, KeyNetwork, Service

HOME, CAFE, PHONE = "192.0.2.9", "198.51.100.4", "2001:db8:1:2::9"


@pytest.fixture
def mails(settings, platform):
    settings.MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}
    settings.HOKUSAI_PUBLIC_URL = "https://registry.example.org"
    Service.objects.filter(pk=platform.pk).update(contact="team@example.org")
    return mail.outbox


@pytest.fixture
def seen(reader):
    """Have a key used from these addresses, one after the other."""

    def see(*addresses, key=reader):
        for address in addresses:
            sightings.write([(key.row.pk, address)])

    return see


def told():
    return [
        event.after["network"] for event in AuditEvent.objects.filter(action=actions.NETWORK_NOTICED).order_by("pk")
    ]


def test_first_network_of_a_key_is_no_news(seen, actor, mails):
    seen(HOME)
    assert arrivals.send_due(actor) == {"noticed": 0, "mailed": 0, "unsent": 0}
    assert (told(), mails) == ([], [])


def test_new_network_is_told_and_recorded(seen, reader, actor, mails):
    seen(HOME, CAFE)
    assert arrivals.send_due(actor) == {"noticed": 1, "mailed": 1, "unsent": 0}
    event = AuditEvent.objects.get(action=actions.NETWORK_NOTICED)
    since = KeyNetwork.objects.get(network="198.51.100.0/24").first_seen_at
    assert (event.object_id, event.service_id, event.actor) == (reader.row.public_id, "platform", actor.name)
    assert event.after == {"network": "198.51.100.0/24", "first_seen_at": since.isoformat(), "is_mailed": True}


def test_network_is_told_once(seen, actor, mails):
    seen(HOME, CAFE)
    arrivals.send_due(actor)
    seen("198.51.100.77", HOME)
    arrivals.send_due(actor)
    assert (told(), len(mails)) == (["198.51.100.0/24"], 1)


def test_network_of_ipv6_is_told(seen, actor):
    seen(HOME, PHONE)
    arrivals.send_due(actor)
    assert told() == ["2001:db8:1:2::/64"]


def test_another_host_of_the_same_ipv6_network_is_no_news(seen, actor):
    seen(PHONE, "2001:db8:1:2:aaaa::1")
    arrivals.send_due(actor)
    assert told() == []


def test_each_key_has_a_first_network_of_its_own(seen, writer, actor):
    seen(HOME)
    seen(CAFE, key=writer)
    arrivals.send_due(actor)
    assert told() == []


def test_several_new_networks_of_a_key_are_one_mail(seen, reader, actor, mails):
    seen(HOME, CAFE, PHONE)
    assert arrivals.send_due(actor) == {"noticed": 2, "mailed": 1, "unsent": 0}
    (sent,) = mails
    assert sent.to == ["team@example.org"]
    assert sent.subject == f"API key {reader.row} of platform is used from a new network"
    for part in ("198.51.100.0/24 since", "2001:db8:1:2::/64 since", "first used from 192.0.2.0/24", "revoke_key"):
        assert part in sent.body
    assert sent.body.endswith("https://registry.example.org")


def test_mail_of_the_last_network_says_that_it_is_the_last(seen, actor, mails):
    seen(*(f"10.0.{number}.1" for number in range(sightings.MAXIMUM_NETWORKS)))
    arrivals.send_due(actor)
    assert "of more you are not told" in mails[0].body


def test_notice_without_a_contact_is_recorded(seen, actor):
    seen(HOME, CAFE)
    assert arrivals.send_due(actor) == {"noticed": 1, "mailed": 0, "unsent": 0}
    assert told() == ["198.51.100.0/24"]


def test_mail_that_did_not_go_out_is_tried_again(seen, actor, mails, monkeypatch):
    def fail(*args, **kwargs):
        raise smtplib.SMTPServerDisconnected

    seen(HOME, CAFE)
    with monkeypatch.context() as patch:
        patch.setattr(contacts.EmailMessage, "send", fail)
        assert arrivals.send_due(actor) == {"noticed": 0, "mailed": 0, "unsent": 1}
    assert arrivals.send_due(actor) == {"noticed": 1, "mailed": 1, "unsent": 0}


def test_notices_that_are_given_cost_one_question(seen, actor, django_assert_num_queries):
    seen(HOME, CAFE, PHONE)
    arrivals.send_due(actor)
    with django_assert_num_queries(1):
        arrivals.send_due(actor)
