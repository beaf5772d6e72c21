"""Writers of webhooks: the event in the same transaction, the secret as return value alone, and rules that hold."""

import pytest
from django.core.exceptions import ValidationError

from apikeys import conf, outbox, rules, signatures, webhooks
from apikeys.models import AuditEvent, Webhook

URL = "http://127.0.0.1:9/T0/hunter2?token=hunter2"


@pytest.fixture(autouse=True)
def _allowed(settings, db):
    settings.HOKUSAI_WEBHOOK_NETWORKS = ["127.0.0.0/8"]


@pytest.fixture
def create(actor):
    def create(webhook_id="chat", url=URL, types=("key.issued",)):
        return webhooks.create_webhook(webhook_id=webhook_id, url=url, types=types, actor=actor)

    return create


def event(action):
    return AuditEvent.objects.get(action=action)


def test_create_shows_the_secret_that_messages_are_signed_with(create):
    made = create()
    assert signatures.as_bytes(made.secret) == outbox.secrets_of(Webhook.objects.get())[0]


def test_create_stores_no_secret_and_no_path_in_the_trail(create, actor):
    made = create()
    row = Webhook.objects.values().get()
    assert made.secret.removeprefix("whsec_") not in str(row)
    assert event("webhook_created").after == {"origin": "http://127.0.0.1:9", "types": ["key.issued"]}
    assert (event("webhook_created").actor, event("webhook_created").object_id) == (actor.name, "chat")
    assert made.secret not in repr(made)


@pytest.mark.parametrize("webhook_id", ["", "Chat", "a b", "a" * 64])
def test_create_with_a_bad_id_writes_nothing(create, webhook_id):
    with pytest.raises(ValidationError):
        create(webhook_id)
    assert not AuditEvent.objects.filter(action="webhook_created").exists()


def test_create_twice_under_one_id_is_refused(create):
    create()
    with pytest.raises(ValidationError):
        create()
    assert Webhook.objects.count() == 1


@pytest.mark.parametrize("types", [[], ["key.issued", "key.lost"]])
def test_create_with_no_or_an_unknown_type_is_refused(create, types):
    with pytest.raises(rules.ActionRefusedError):
        create(types=types)


@pytest.mark.parametrize("url", ["http://10.0.0.1/", "https://169.254.169.254/", "https://user:pass@127.0.0.1/", "x"])
def test_create_with_a_url_that_may_not_be_is_refused(create, url):
    with pytest.raises(rules.ActionRefusedError):
        create(url=url)
    assert not Webhook.objects.exists()


def test_replaced_secret_is_new_and_the_old_one_signs_for_a_day(create, actor):
    first = create()
    second = webhooks.replace_secret(webhook=first.row, actor=actor)
    texts = [signatures.as_text(secret) for secret in outbox.secrets_of(Webhook.objects.get())]
    assert texts == [second.secret, first.secret]
    assert event("webhook_secret_replaced")
    Webhook.objects.update(old_seed_until=second.row.old_seed_until - webhooks.OVERLAP)
    assert len(outbox.secrets_of(Webhook.objects.get())) == 1


def test_replaced_secret_works_although_the_old_ones_pepper_is_gone(create, actor, settings):
    create()
    settings.HOKUSAI_KEY_PEPPERS = {**conf.peppers(), 7: b"7" * 32}
    second = webhooks.replace_secret(webhook=Webhook.objects.get(), actor=actor)
    settings.HOKUSAI_KEY_PEPPERS = {7: b"7" * 32}
    assert [signatures.as_text(one) for one in outbox.secrets_of(Webhook.objects.get())] == [second.secret]


def test_disable_and_enable_are_recorded_and_once_each(create, actor):
    row = create().row
    row = webhooks.disable_webhook(webhook=row, reason="moving", actor=actor)
    assert row.is_disabled
    with pytest.raises(rules.ActionRefusedError):
        webhooks.disable_webhook(webhook=row, reason="again", actor=actor)
    assert not webhooks.enable_webhook(webhook=row, actor=actor).is_disabled
    with pytest.raises(rules.ActionRefusedError):
        webhooks.enable_webhook(webhook=row, actor=actor)
    assert event("webhook_disabled").reason == "moving"
    assert event("webhook_enabled")


def test_test_is_queued_and_recorded(create, actor):
    delivery = webhooks.queue_test(webhook=create().row, actor=actor)
    assert (delivery.type, delivery.status) == ("webhook.test", "pending")
    assert event("webhook_tested").after == {"message": str(delivery)}


def test_test_of_a_disabled_webhook_is_refused(create, actor):
    row = webhooks.disable_webhook(webhook=create().row, reason="r", actor=actor)
    with pytest.raises(rules.ActionRefusedError):
        webhooks.queue_test(webhook=row, actor=actor)
