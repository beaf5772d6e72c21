"""System checks of stored keys: a pepper that is gone is told before its callers find out."""

from django.core.checks import run_checks
from django.db import OperationalError

from apikeys import actions, webhooks
from apikeys.models import ApiKey


def ids(databases=("default",)):
    messages = run_checks(tags=["database"], databases=databases)
    return [message.id for message in messages if message.id.startswith("apikeys.")]


def test_check_peppers_all_there_has_no_complaint(reader):
    assert ids() == []


def test_check_peppers_gone_is_e001_once(reader, writer, settings):
    settings.HOKUSAI_KEY_PEPPERS = {9: b"z" * 32}
    assert ids() == ["apikeys.E001"]


def test_check_peppers_of_ended_keys_may_go(reader, actor, settings):
    actions.revoke_key(key=reader.row, reason="lost", actor=actor)
    settings.HOKUSAI_KEY_PEPPERS = {9: b"z" * 32}
    assert ids() == []


def test_check_peppers_without_a_database_asks_none(reader, settings, django_assert_num_queries):
    settings.HOKUSAI_KEY_PEPPERS = {9: b"z" * 32}
    with django_assert_num_queries(0):
        assert ids(databases=()) == []


def test_check_peppers_before_the_first_migration_has_no_complaint(db, monkeypatch):
    def fail():
        raise OperationalError("no such table")

    monkeypatch.setattr(ApiKey.objects, "usable", fail)
    assert ids() == []


def test_check_peppers_gone_of_a_webhook_is_e001_until_its_secret_is_replaced(db, actor, settings):
    settings.HOKUSAI_WEBHOOK_NETWORKS = ["127.0.0.1"]
    asked = {"webhook_id": "chat", "url": "http://127.0.0.1:9/", "types": ["key.issued"]}
    webhook = webhooks.create_webhook(**asked, actor=actor).row
    settings.HOKUSAI_KEY_PEPPERS = {9: b"z" * 32}
    assert ids() == ["apikeys.E001"]
    webhooks.replace_secret(webhook=webhook, actor=actor)
    assert ids() == []
