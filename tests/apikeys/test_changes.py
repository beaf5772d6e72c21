"""Actions behind the admin's screens: pauses, notes, defaults and issuers, and one key from a form sent twice."""

import datetime

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import IntegrityError

from apikeys import actions, keys, scopes
from apikeys.actions import ActionRefusedError, AlreadyIssuedError, AlreadyRevokedError
from apikeys.authentication import verify
from apikeys.credentials import CredentialRefusedError
from apikeys.models import ApiKey, AuditEvent, Service


def last_event():
    return AuditEvent.objects.order_by("pk").last()


def test_disable_key_is_refused_by_the_next_verification(reader, writer, actor):
    actions.disable_key(key=reader.row, reason="holiday", actor=actor)
    with pytest.raises(CredentialRefusedError) as refusal:
        verify(reader.secret.text)
    assert refusal.value.reason == "KEY_DISABLED"
    assert verify(writer.secret.text) == writer.row


def test_enable_key_works_again_and_records_what_it_ended(reader, actor):
    paused = actions.disable_key(key=reader.row, reason="holiday", actor=actor)
    actions.enable_key(key=reader.row, reason="back", actor=actor)
    assert verify(reader.secret.text) == reader.row
    event = last_event()
    assert (event.action, event.object_id, event.reason) == ("api_key_enabled", reader.row.public_id, "back")
    assert event.before == {"disabled_at": paused.disabled_at.isoformat(), "disabled_reason": "holiday"}


def test_disable_key_without_reason_is_refused(reader, actor):
    with pytest.raises(ActionRefusedError, match="reason"):
        actions.disable_key(key=reader.row, reason=" ", actor=actor)


def test_disable_key_twice_is_refused(reader, actor):
    actions.disable_key(key=reader.row, reason="holiday", actor=actor)
    with pytest.raises(ActionRefusedError, match="already disabled: holiday"):
        actions.disable_key(key=reader.row, reason="again", actor=actor)


def test_disable_key_revoked_is_refused(reader, actor):
    actions.revoke_key(key=reader.row, reason="lost", actor=actor)
    with pytest.raises(AlreadyRevokedError):
        actions.disable_key(key=reader.row, reason="holiday", actor=actor)


def test_enable_key_not_disabled_is_refused(reader, actor):
    with pytest.raises(ActionRefusedError, match="not disabled"):
        actions.enable_key(key=reader.row, actor=actor)


def test_rotate_key_disabled_is_refused(reader, actor):
    actions.disable_key(key=reader.row, reason="holiday", actor=actor)
    with pytest.raises(ActionRefusedError, match="enable it"):
        actions.rotate_key(key=reader.row, actor=actor)


def test_key_half_disabled_is_refused_by_the_database(reader):
    with pytest.raises(IntegrityError, match="key_disabled_with_reason"):
        ApiKey.objects.update(disabled_reason="why")


def test_change_key_of_a_note_records_before_and_after(issue, actor):
    row = actions.change_key(key=issue(note="old").row, note=" new ", actor=actor)
    event = last_event()
    assert ApiKey.objects.get(pk=row.pk).note == "new"
    assert (event.action, event.before, event.after) == ("api_key_annotated", {"note": "old"}, {"note": "new"})


def test_change_key_of_a_note_same_note_writes_nothing(issue, actor):
    row = issue(note="as it is").row
    before = AuditEvent.objects.count()
    actions.change_key(key=row, note="as it is ", actor=actor)
    assert AuditEvent.objects.count() == before


def test_change_key_of_a_note_long_note_is_refused(reader, actor):
    with pytest.raises(ValidationError):
        actions.change_key(key=reader.row, note="x" * 501, actor=actor)


def test_note_with_a_key_is_refused(issue, reader, actor):
    with pytest.raises(ActionRefusedError, match="secrets are never stored"):
        actions.change_key(key=reader.row, note=f"it is {reader.secret.text}", actor=actor)
    with pytest.raises(ActionRefusedError, match="secrets are never stored"):
        issue(note=keys.mint("live").text)


def test_show_once_double_submit_makes_one_key(issue):
    first = issue(idempotency_key="form-1")
    with pytest.raises(AlreadyIssuedError) as refusal:
        issue(idempotency_key="form-1", name="again")
    assert refusal.value.key == first.row
    assert ApiKey.objects.count() == 1


def test_show_once_lost_race_makes_one_key(issue, monkeypatch):
    issue(idempotency_key="form-1")
    monkeypatch.setattr(actions.keys, "_refuse_repeat", lambda *_: ApiKey.objects.get().idempotency_digest)
    with pytest.raises(AlreadyIssuedError):
        issue(idempotency_key="form-1")
    assert ApiKey.objects.count() == 1


def test_show_once_token_of_another_actor_is_another_token(issue, platform):
    issue(idempotency_key="form-1")
    other = actions.Actor(name="bob")
    actions.issue_key(service=platform, name="n", scopes=["model:read"], idempotency_key="form-1", actor=other)
    assert ApiKey.objects.count() == 2


def test_issue_key_without_token_may_repeat(issue):
    issue()
    issue()
    assert ApiKey.objects.count() == 2


def test_change_service_records_what_differs_alone(platform, actor):
    actions.change_service(service=platform, actor=actor, owner="data", contact="", default_days=30)
    event = last_event()
    assert event.action == "service_changed"
    assert (event.before, event.after) == ({"owner": "", "default_days": None}, {"owner": "data", "default_days": 30})
    assert Service.objects.get(pk=platform.pk).default_days == 30


def test_change_service_to_what_it_is_writes_nothing(platform, actor):
    before = AuditEvent.objects.count()
    actions.change_service(service=platform, actor=actor, owner=platform.owner)
    assert AuditEvent.objects.count() == before


@pytest.mark.parametrize(
    "changes",
    [
        *({"default_days": 366}, {"default_days": 0}, {"default_rate_limit_per_hour": 9}),
        *({"owner": "x" * 201}, {"default_scopes": ["model:execute"]}, {"description": keys.mint("live").text}),
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_change_service_against_a_rule_is_refused(platform, actor, changes):
    with pytest.raises((ActionRefusedError, ValidationError, scopes.UnknownScopeError)):
        actions.change_service(service=platform, actor=actor, **changes)
    assert last_event().action == "service_created"


def test_issue_key_takes_the_defaults_of_its_service(platform, issue, actor):
    changes = {"default_scopes": ["model:read"], "default_days": 7, "default_rate_limit_per_hour": 50}
    actions.change_service(service=platform, actor=actor, **changes)
    row = issue(words=[]).row
    assert (row.scopes, row.rate_limit_per_hour) == (["model:read"], 50)
    assert row.expires_at - row.created_at == datetime.timedelta(days=7)


def test_issue_key_says_otherwise_than_its_service(platform, issue, actor):
    changes = {"default_scopes": ["model:read"], "default_days": 7, "default_rate_limit_per_hour": 50}
    actions.change_service(service=platform, actor=actor, **changes)
    row = issue(words=["mlflow:read"], expires_in_days=8, rate_limit_per_hour=60).row
    assert (row.scopes, row.rate_limit_per_hour) == (["mlflow:read"], 60)
    assert row.expires_at - row.created_at == datetime.timedelta(days=8)


def test_set_issuers_records_the_names(platform, actor):
    alice, bob = (User.objects.create(username=name, is_staff=True) for name in ("alice", "bob"))
    actions.set_issuers(service=platform, users=[bob, alice], actor=actor)
    event = last_event()
    assert (event.action, event.before, event.after) == (
        *("service_issuers_set", {"issuers": []}),
        {"issuers": ["alice", "bob"]},
    )
    actions.set_issuers(service=platform, users=[alice, bob], actor=actor)
    assert last_event() == event


CHANGES = {
    "disable key": lambda row, actor: actions.disable_key(key=row, reason="holiday", actor=actor),
    "annotate": lambda row, actor: actions.change_key(key=row, note="new", actor=actor),
    "change service": lambda row, actor: actions.change_service(service=row.service, owner="new", actor=actor),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_change_writes_one_event(reader, actor, change):
    before = AuditEvent.objects.count()
    change(reader.row, actor)
    assert AuditEvent.objects.count() == before + 1
