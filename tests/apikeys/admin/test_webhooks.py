"""The screens of webhooks: a secret once, a test at once, a log to read, and no address of the inside."""

import re

import pytest
from django.urls import reverse

from apikeys import outbox, signatures, webhooks
from apikeys.models import Webhook
from tests.apikeys.admin.conftest import change, listed, page
from tests.apikeys.admin.test_show_once import everything_stored
from tests.mlflow_proxy.stub import Stub, ok

ADD = reverse("admin:apikeys_webhook_add")
SECRET = re.compile(r"whsec_[0-9A-Za-z+/]{43}=")


@pytest.fixture
def receiver(settings):
    settings.HOKUSAI_WEBHOOK_NETWORKS = ["127.0.0.0/8"]
    stub = Stub()
    yield stub
    stub.stop()


@pytest.fixture
def form(receiver):
    return {"webhook_id": "chat", "url": f"{receiver.url}/hook", "types": ["key.issued"]}


@pytest.fixture
def webhook(form, actor, db):
    return webhooks.create_webhook(**form, actor=actor).row


def test_add_shows_the_secret_once_and_stores_it_nowhere(admin, form):
    response = admin.post(ADD, form)
    (secret,) = set(SECRET.findall(response.content.decode()))
    assert "no-store" in response["Cache-Control"]
    assert signatures.as_bytes(secret) == outbox.secrets_of(Webhook.objects.get())[0]
    assert secret.removeprefix("whsec_") not in everything_stored()
    assert not SECRET.search(admin.get(page(Webhook.objects.get())).content.decode())


def test_add_sent_twice_makes_one_and_shows_nothing(admin, form):
    admin.post(ADD, form)
    response = admin.post(ADD, form)
    assert Webhook.objects.count() == 1
    assert not SECRET.search(response.content.decode())


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"url": "https://10.0.0.1/"}, "not a public address"),
        ({"url": "https://169.254.169.254/latest/"}, "not a public address"),
        ({"url": "ftp://example.org/"}, "looks like https"),
        ({"webhook_id": "Not Good"}, "a-z, 0-9 and hyphen"),
        ({"types": []}, "required"),
    ],
)
def test_add_with_a_mistake_says_which(admin, form, wrong, told):
    assert told in admin.post(ADD, form | wrong).content.decode()
    assert not Webhook.objects.exists()


def test_replaced_secret_is_shown_once(admin, webhook):
    response = admin.post(change(webhook, "replace_secret"))
    (secret,) = set(SECRET.findall(response.content.decode()))
    webhook.refresh_from_db()
    assert signatures.as_bytes(secret) == outbox.secrets_of(webhook)[0]


def test_secrets_of_several_are_all_shown(admin, webhook, form, actor):
    other = webhooks.create_webhook(**form | {"webhook_id": "mail"}, actor=actor).row
    response = admin.post(f"{change(webhook, 'replace_secret')},{other.pk}")
    assert len(set(SECRET.findall(response.content.decode()))) == 2


def test_test_is_sent_at_once_and_its_end_is_told(admin, webhook, receiver):
    text = admin.post(change(webhook, "test"), follow=True).content.decode()
    assert "The test was delivered: 200." in text
    assert len(receiver.seen) == 1
    receiver.reply(ok(b"", status="500 No"))
    text = admin.post(change(webhook, "test"), follow=True).content.decode()
    assert "The test was not delivered: status 500." in text


def test_log_shows_status_tries_next_try_and_answer(admin, webhook, receiver):
    receiver.reply(ok(b"", status="503 No"))
    admin.post(change(webhook, "test"))
    text = admin.get(listed("delivery")).content.decode()
    for told in ("webhook.test", "pending", "503", "to chat"):
        assert told in text
    assert "<time" in text


@pytest.mark.parametrize(("status", "count"), [("pending", 1), ("delivered", 0), ("", 1)])
def test_log_is_narrowed_down_by_status(admin, webhook, actor, status, count):
    webhooks.queue_test(webhook=webhook, actor=actor)
    response = admin.get(f"{listed('delivery')}?status={status}" if status else listed("delivery"))
    assert response.context["cl"].result_count == count


def test_log_cannot_be_asked_about_other_columns(admin, webhook):
    assert admin.get(f"{listed('delivery')}?webhook__seed__startswith=1").status_code in {302, 400}


def test_delivery_shows_its_id_and_body(admin, webhook, actor):
    delivery = webhooks.queue_test(webhook=webhook, actor=actor)
    text = admin.get(page(delivery)).content.decode()
    assert str(delivery) in text
    assert "&quot;type&quot;: &quot;webhook.test&quot;" in text


def test_page_shows_the_state_and_the_newest_messages(admin, webhook, actor):
    webhooks.queue_test(webhook=webhook, actor=actor)
    webhooks.disable_webhook(webhook=webhook, reason="moving house", actor=actor)
    text = admin.get(page(webhook)).content.decode()
    for told in ("moving house", "webhook.test", webhook.url, "a key was issued"):
        assert told in text
    assert "Send a test" not in text


def test_history_leads_to_the_webhooks_events(admin, webhook):
    response = admin.get(reverse("admin:apikeys_webhook_history", args=[webhook.pk]), follow=True)
    assert "Webhook created" in response.content.decode()
