"""The outbox: each event once to whom it concerns, tried again for hours, lost by no crash, forgotten after a month."""

import datetime
import json

import pytest
from django.db import OperationalError

from apikeys import actions, messages, outbox, posts, signatures, trail, webhooks
from apikeys.admin import audit_filters
from apikeys.deliveries import TYPES
from apikeys.models import AuditEvent, Delivery, Webhook
from tests.mlflow_proxy.stub import Answer, Stub, ok

EVERYTHING = ("key.issued", "key.rotated", "key.expiring", "key.revoked")


@pytest.fixture
def receiver(settings, db):
    settings.HOKUSAI_WEBHOOK_NETWORKS = ["127.0.0.0/8"]
    stub = Stub()
    yield stub
    stub.stop()


@pytest.fixture
def listen(receiver, actor):
    def listen(webhook_id="chat", types=EVERYTHING, path="/hook"):
        url = f"{receiver.url}{path}"
        return webhooks.create_webhook(webhook_id=webhook_id, url=url, types=types, actor=actor)

    return listen


@pytest.fixture
def refuse(receiver):
    """Let the receiver answer 500 from now on."""
    receiver.reply(ok(b"", status="500 No"))


def let_pass():
    """Make due what is pending; a second ago, because SQLite's clock has milliseconds and its rows have more digits."""
    Delivery.objects.filter(status="pending").update(next_try_at=outbox.database_now() - datetime.timedelta(seconds=1))


def documents(receiver):
    return [json.loads(seen.body) for seen in receiver.seen]


def test_event_of_a_key_becomes_a_signed_message(listen, receiver, reader, issue):
    made = listen()
    issued = issue(name="late")
    assert outbox.run() == {"queued": 1, "delivered": 1}
    (seen,) = receiver.seen
    document = json.loads(seen.body)
    assert (document["type"], document["data"]["key_id"]) == ("key.issued", issued.row.public_id)
    assert document["data"]["after"]["name"] == "late"
    told = {name: seen.header(name) for name in ("webhook-id", "webhook-timestamp", "webhook-signature")}
    secret = signatures.as_bytes(made.secret)
    assert told == signatures.headers([secret], told["webhook-id"], int(told["webhook-timestamp"]), seen.body)
    assert told["webhook-id"] == str(Delivery.objects.get())


def test_message_holds_no_secret_and_no_address(listen, receiver, issue):
    listen()
    issued = issue()
    outbox.run()
    assert issued.secret.text[20:] not in receiver.seen[0].body.decode()
    assert "192.0.2.7" not in receiver.seen[0].body.decode()


def test_each_kind_of_event_has_its_type(listen, receiver, issue, actor):
    listen()
    issued = issue(expires_in_days=2, name="short")
    actions.record_expiry_notice(key=issued.row, days=1, is_mailed=False, actor=actor)
    actions.rotate_key(key=issued.row, actor=actor)
    actions.revoke_key(key=issued.row, reason="lost", actor=actor)
    outbox.run()
    assert [one["type"] for one in documents(receiver)] == ["key.issued", "key.expiring", "key.rotated", "key.revoked"]


def test_leak_is_told_as_such_to_who_asks_and_as_a_revocation_to_others(listen, receiver, issue, reader):
    listen("both", ["key.revoked", "key.leaked"], "/both")
    listen("leaks", ["key.leaked"], "/leaks")
    listen("ends", ["key.revoked"], "/ends")
    reporter = trail.Actor(name=trail.LEAK_REPORTER)
    actions.revoke_key(key=issue().row, reason="reported", actor=reporter)
    actions.revoke_key(key=reader.row, reason="lost", actor=trail.Actor(name="alice"))
    outbox.run()
    heard = [(seen.target, json.loads(seen.body)["type"]) for seen in receiver.seen]
    assert sorted(heard) == [
        *[("/both", "key.leaked"), ("/both", "key.revoked")],
        *[("/ends", "key.revoked"), ("/ends", "key.revoked"), ("/leaks", "key.leaked")],
    ]


def test_webhook_of_storage_alone_hears_of_no_key(listen, receiver, issue):
    listen(types=["storage_health.changed"])
    issue()
    assert outbox.run() == {}


def test_every_type_of_a_key_has_its_source():
    assert set(messages.SOURCES) == {word for word in TYPES if word.startswith("key.")}
    assert {source.action for source in messages.SOURCES.values()} <= set(audit_filters.ACTIONS)


def test_webhook_hears_its_types_alone_and_each_hears_its_own(listen, receiver, reader, actor):
    listen("revocations", ["key.revoked"], "/a")
    listen("all", EVERYTHING, "/b")
    actions.disable_key(key=reader.row, reason="r", actor=actor)
    actions.revoke_key(key=reader.row, reason="lost", actor=actor)
    outbox.run()
    assert sorted(seen.target for seen in receiver.seen) == ["/a", "/b"]


def test_webhook_hears_nothing_of_before_it_was_there(listen, receiver, reader):
    listen()
    assert outbox.run() == {}


def test_event_is_queued_once_however_often_the_worker_looks(listen, receiver, issue):
    listen()
    issue()
    for _ in range(3):
        outbox.run()
    assert len(receiver.seen) == 1


def test_event_of_a_transaction_that_ended_late_is_not_passed_over(listen, receiver, issue):
    """Its number is smaller than that of an event which was seen before it."""
    listen()
    late = issue(name="late").row
    issue(name="early")
    (webhook,) = Webhook.objects.all()
    hidden = AuditEvent.objects.get(object_id=late.public_id)
    # As if the worker had not seen it: what was queued is the other alone.
    outbox.run()
    Delivery.objects.filter(event_number=hidden.pk).delete()
    assert outbox.run() == {"queued": 1, "delivered": 1}
    webhook.refresh_from_db()
    assert webhook.cursor < hidden.pk


def test_cursor_follows_what_is_settled(listen, receiver, issue, monkeypatch):
    listen()
    issue()
    outbox.run()
    monkeypatch.setattr(outbox, "STRAGGLERS", -datetime.timedelta(hours=1))
    assert outbox.run() == {}
    assert Webhook.objects.get().cursor == AuditEvent.objects.order_by("-pk").first().pk


def test_more_events_than_are_queued_at_a_time_all_go_out(listen, receiver, issue, monkeypatch):
    monkeypatch.setattr(outbox, "EVENTS_AT_A_TIME", 2)
    monkeypatch.setattr(outbox, "STRAGGLERS", -datetime.timedelta(hours=1))
    listen()
    for number in range(5):
        issue(name=f"n{number}")
    assert [outbox.run().get("queued", 0) for _ in range(4)] == [2, 2, 1, 0]
    assert [one["data"]["after"]["name"] for one in documents(receiver)] == [f"n{number}" for number in range(5)]


def test_message_that_is_refused_is_tried_again_under_the_same_id(listen, receiver, refuse, issue, log_output):
    listen()
    issue()
    assert outbox.run() == {"queued": 1, "undelivered": 1}
    assert outbox.run() == {}
    (delivery,) = Delivery.objects.all()
    assert (delivery.status, delivery.attempts, delivery.answer_status) == ("pending", 1, 500)
    assert delivery.next_try_at - delivery.tried_at >= outbox.BACK_OFF[0]
    receiver.reply(ok(b""))
    let_pass()
    assert outbox.run() == {"delivered": 1}
    assert len({seen.header("webhook-id") for seen in receiver.seen}) == 1
    assert log_output.events("webhook_undelivered")[0]["error"] == "status 500"


def test_message_that_is_always_refused_is_given_up(listen, receiver, refuse, issue, log_output):
    listen()
    issue()
    for _ in range(12):
        outbox.run()
        let_pass()
    (delivery,) = Delivery.objects.all()
    assert (delivery.status, delivery.next_try_at, delivery.attempts) == ("given up", None, len(outbox.BACK_OFF) + 1)
    assert len(receiver.seen) == delivery.attempts
    assert len(log_output.events("webhook_given_up")) == 1


def test_back_off_gives_a_receiver_most_of_a_day():
    assert list(outbox.BACK_OFF) == sorted(outbox.BACK_OFF)
    assert sum(outbox.BACK_OFF, datetime.timedelta()) > datetime.timedelta(hours=17)


def test_webhook_that_refuses_costs_one_try_a_round_and_does_not_hold_up_another(listen, receiver, issue):
    listen("bad", EVERYTHING, "/bad")
    listen("good", EVERYTHING, "/good")
    for number in range(3):
        issue(name=f"n{number}")
    status = {"/bad": "500 No", "/good": "200 OK"}
    receiver.script = lambda seen: Answer([ok(b"", status=status[seen.target])])
    assert outbox.run() == {"queued": 6, "undelivered": 1, "delivered": 3}


def test_crash_between_sending_and_noting_sends_again_under_the_same_id(listen, receiver, issue, monkeypatch):
    listen()
    issue()

    def die(delivery):
        raise OperationalError

    with monkeypatch.context() as patch:
        patch.setattr(outbox, "_note", die)
        with pytest.raises(OperationalError):
            outbox.run()
    assert outbox.run() == {}
    let_pass()
    assert outbox.run() == {"delivered": 1}
    assert len({seen.header("webhook-id") for seen in receiver.seen}) == 1
    assert len(receiver.seen) == 2


def test_message_that_another_process_sends_is_left_to_it(listen, receiver, issue, monkeypatch):
    listen()
    issue()
    seen = []

    def send(delivery):
        seen.append(outbox.attempt(Delivery.objects.get()))
        return 200

    monkeypatch.setattr(outbox, "_send", send)
    assert outbox.run() == {"queued": 1, "delivered": 1}
    assert (seen, Delivery.objects.get().attempts) == ([True], 1)


def test_disabled_webhook_is_sent_nothing_and_later_what_was_queued(listen, receiver, refuse, issue, actor):
    row = listen().row
    issue(name="before")
    outbox.run()
    webhooks.disable_webhook(webhook=row, reason="moving", actor=actor)
    issue(name="meanwhile")
    let_pass()
    assert outbox.run() == {}
    webhooks.enable_webhook(webhook=row, actor=actor)
    issue(name="after")
    receiver.reply(ok(b""))
    outbox.run()
    assert [one["data"]["after"]["name"] for one in documents(receiver)] == ["before", "before", "after"]


def test_webhook_that_is_disabled_between_two_messages_is_sent_no_more(listen, receiver, issue, actor, monkeypatch):
    made, send = listen(), posts.send
    issue(name="first")
    issue(name="second")

    def send_then_disable(*message):
        webhooks.disable_webhook(webhook=made.row, reason="wrong receiver", actor=actor)
        return send(*message)

    monkeypatch.setattr(posts, "send", send_then_disable)
    assert outbox.run() == {"queued": 2, "delivered": 1}
    assert len(receiver.seen) == 1


def test_address_is_judged_at_each_try(listen, receiver, issue, settings):
    listen()
    issue()
    settings.HOKUSAI_WEBHOOK_NETWORKS = []
    assert outbox.run() == {"queued": 1, "undelivered": 1}
    assert receiver.seen == []
    assert "not a public address" in Delivery.objects.get().fault


def test_message_without_its_pepper_waits(listen, receiver, issue, settings):
    listen()
    issue()
    settings.HOKUSAI_KEY_PEPPERS = {9: b"9" * 32}
    assert outbox.run() == {"queued": 1, "undelivered": 1}
    assert "pepper" in Delivery.objects.get().fault
    assert receiver.seen == []


def test_fault_is_told_without_the_path(listen, receiver, issue, log_output, monkeypatch):
    listen(path="/T0/hunter2")
    issue()
    with receiver.not_listening():
        outbox.run()
    assert Delivery.objects.get().fault == "nothing listens there"
    assert "hunter2" not in log_output.getvalue()


def test_message_of_no_event_goes_to_those_who_ask(listen, receiver):
    listen("health", ["storage_health.changed"], "/health")
    listen("keys", EVERYTHING, "/keys")
    assert outbox.has_listeners("storage_health.changed")
    assert outbox.enqueue("storage_health.changed", {"light": "red"}, outbox.database_now()) == 1
    outbox.run()
    assert [seen.target for seen in receiver.seen] == ["/health"]
    assert documents(receiver)[0]["data"] == {"light": "red"}


def test_pruning_forgets_what_is_old(listen, receiver, issue):
    listen()
    issue()
    outbox.run()
    assert outbox.prune() == 0
    Delivery.objects.update(created_at=outbox.database_now() - outbox.KEPT - datetime.timedelta(minutes=1))
    assert outbox.prune() == 1


def test_claim_is_longer_than_a_try_takes():
    assert outbox.CLAIM.total_seconds() > 2 * posts.WHOLE_SECONDS
