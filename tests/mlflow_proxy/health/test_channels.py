"""The ways out: a mail that says what to do, and a webhook that its receiver can verify."""

import datetime
import json
import smtplib
from typing import Any

import pytest
from django.core import mail

from apikeys import posts, signatures, webhooks
from apikeys.models import Webhook
from mlflow_proxy.health import channels
from mlflow_proxy.health.answers import Probe
from mlflow_proxy.health.channels import News, UndeliveredError
from tests.mlflow_proxy.stub import Stub, ok

AT = datetime.datetime(2026, 11, 20, 12, 0, tzinfo=datetime.UTC)
FAILURE = Probe("artifact_store", "failed", 12.0, reason="STORE_DENIED", detail="refused", hint="Allow s3:ListBucket")
SECRET = "sixteen letters and more"


def news(**change: Any) -> News:
    facts = {"kind": "worse", "at": AT, "light": "red", "sentence": "The artifact store cannot be used."}
    return News(**facts | {"failures": [FAILURE], "recovered": []} | change)


@pytest.fixture
def receiver(settings):
    stub = Stub()
    settings.HOKUSAI_ALERT_WEBHOOK_URL = f"{stub.url}/hook"
    settings.HOKUSAI_ALERT_WEBHOOK_SECRET = SECRET
    settings.HOKUSAI_PUBLIC_URL = "https://registry.example.org"
    yield stub
    stub.stop()


@pytest.fixture
def mails(settings):
    settings.MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}
    settings.HOKUSAI_ALERT_EMAILS = ["ops@example.org", "oncall@example.org"]
    settings.HOKUSAI_PUBLIC_URL = "https://registry.example.org"
    return mail.outbox


@pytest.fixture
def listening(platform: Any, actor: Any, settings: Any) -> Webhook:
    """A webhook of the admin that asks for news of health."""
    settings.HOKUSAI_WEBHOOK_NETWORKS = ["127.0.0.0/8"]
    url, types = "http://127.0.0.1:9/hook", ["storage_health.changed"]
    return webhooks.create_webhook(webhook_id="chat", url=url, types=types, actor=actor).row


@pytest.mark.django_db
def test_configured_channels_are_those_of_the_settings(settings) -> None:
    assert channels.configured() == []
    settings.HOKUSAI_ALERT_EMAILS = ["ops@example.org"]
    assert [one.name for one in channels.configured()] == ["mail"]
    settings.HOKUSAI_ALERT_WEBHOOK_URL = "https://hooks.example.org"
    assert [one.name for one in channels.configured()] == ["mail", "webhook"]


def test_mail_says_what_fails_and_what_to_do(mails) -> None:
    channels.send_mail(news())
    (sent,) = mails
    assert sent.subject == "[Hokusai Portal] red: The artifact store cannot be used."
    assert sent.to == ["ops@example.org", "oncall@example.org"]
    for text in ("STORE_DENIED", "Allow s3:ListBucket", "https://registry.example.org/admin/storage-health/"):
        assert text in sent.body


def test_mail_of_recovery_names_what_works_again(mails) -> None:
    channels.send_mail(news(kind="well", light="green", failures=[], recovered=["mlflow"]))
    assert "Works again: mlflow." in mails[0].body


def test_mail_that_is_refused_is_undelivered(mails, monkeypatch) -> None:
    def refuse(*args, **kwargs):
        raise smtplib.SMTPAuthenticationError(535, b"password wrong")

    monkeypatch.setattr("django.core.mail.backends.locmem.EmailBackend.send_messages", refuse)
    with pytest.raises(UndeliveredError, match=r"^SMTPAuthenticationError$"):
        channels.send_mail(news())


def test_webhook_is_signed_by_the_words_of_standard_webhooks(receiver: Stub) -> None:
    channels.post(news())
    (seen,) = receiver.seen
    told = {name: seen.header(name) for name in ("webhook-id", "webhook-timestamp", "webhook-signature")}
    expected = signatures.headers([SECRET.encode()], told["webhook-id"], int(told["webhook-timestamp"]), seen.body)
    assert (seen.method, seen.target) == ("POST", "/hook")
    assert told == expected
    assert SECRET not in seen.head.decode() + seen.body.decode()


def test_webhook_says_what_the_page_says(receiver: Stub) -> None:
    channels.post(news())
    document = json.loads(receiver.seen[0].body)
    assert (document["type"], document["timestamp"]) == ("storage_health.changed", "2026-11-20T12:00:00+00:00")
    assert document["data"]["kind"] == "worse"
    assert document["data"]["failures"][0]["hint"] == "Allow s3:ListBucket"
    assert document["data"]["url"] == "https://registry.example.org/admin/storage-health/"


def test_webhooks_of_the_admin_are_sent_the_same(receiver: Stub, listening: Webhook) -> None:
    channels.post(news())
    channels.queue(news())
    (delivery,) = listening.deliveries.all()
    assert (delivery.type, delivery.document) == ("storage_health.changed", json.loads(receiver.seen[0].body))


def test_webhooks_of_the_admin_are_a_channel_while_one_asks_for_health(listening: Webhook, actor: Any) -> None:
    assert [one.name for one in channels.configured()] == ["webhooks"]
    webhooks.disable_webhook(webhook=listening, reason="r", actor=actor)
    assert channels.configured() == []


@pytest.mark.parametrize("status", ["500 No", "404 Not Found", "302 Found"])
def test_webhook_that_is_not_taken_is_undelivered(receiver: Stub, status: str) -> None:
    receiver.reply(ok(b"", f"Location: {receiver.url}/elsewhere", status=status))
    with pytest.raises(UndeliveredError, match=f"status {status[:3]}"):
        channels.post(news())
    assert [seen.target for seen in receiver.seen] == ["/hook"]


def test_webhook_that_is_not_there_is_undelivered(receiver: Stub) -> None:
    with receiver.not_listening(), pytest.raises(UndeliveredError, match="nothing listens"):
        channels.post(news())


def test_webhook_that_hangs_is_given_up(receiver: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posts, "READ_SECONDS", 0.3)
    receiver.reply(then="hang")
    with pytest.raises(UndeliveredError, match="no answer in time"):
        channels.post(news())


def test_webhook_uses_no_proxy_and_no_netrc(receiver: Stub, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login a password b\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    channels.post(news())
    assert receiver.seen[0].header("Authorization") is None
