"""Actions: each change keeps its rules and writes its audit event in the same transaction, or nothing at all."""

import datetime
import threading

import pytest
from django.core.exceptions import ValidationError
from django.db import DatabaseError, connections

from apikeys import actions, keys, scopes
from apikeys.actions import ActionRefusedError, AlreadyRevokedError, AlreadyRotatedError
from apikeys.authentication import verify
from apikeys.credentials import CredentialRefusedError
from apikeys.models import ApiKey, AuditEvent, Service, database_now

DAY = datetime.timedelta(days=1)
HOUR = datetime.timedelta(hours=1)
SECOND = datetime.timedelta(seconds=1)


def last_event():
    return AuditEvent.objects.order_by("pk").last()


def test_create_service_records_who_and_what(db, actor):
    actions.create_service(service_id="batch", description="nightly", owner="data", actor=actor)
    event = last_event()
    assert (event.action, event.object_id, event.actor) == ("service_created", "batch", "alice")
    assert (event.address, event.request_id) == ("192.0.2.7", "req-1")
    assert event.after == {"description": "nightly", "owner": "data"}


@pytest.mark.parametrize("service_id", ["", "Batch", "a_b", "x" * 64])
def test_create_service_bad_id_is_refused(db, actor, service_id):
    with pytest.raises(ValidationError):
        actions.create_service(service_id=service_id, actor=actor)


def test_create_service_taken_id_is_refused(batch, actor):
    with pytest.raises(ValidationError, match="already exists"):
        actions.create_service(service_id="batch", actor=actor)


def test_issue_key_secret_verifies_as_the_row(reader):
    assert verify(reader.secret.text) == reader.row


def test_issue_key_holds_exactly_the_scopes_asked_for(issue):
    assert issue(words=["model:write", "model:write", "artifact:read"]).row.scopes == ["artifact:read", "model:write"]


def test_issue_key_default_lifetime_is_the_policy(issue, settings):
    settings.HOKUSAI_KEY_DEFAULT_DAYS = 17
    row = issue().row
    assert row.expires_at - row.created_at == 17 * DAY


@pytest.mark.parametrize("days", [1, 365])
def test_issue_key_lifetime_within_policy_is_kept(issue, days):
    row = issue(expires_in_days=days).row
    assert row.expires_at - row.created_at == days * DAY


@pytest.mark.parametrize("days", [-1, 0, 366])
def test_issue_key_lifetime_outside_policy_is_refused(issue, days):
    with pytest.raises(ActionRefusedError, match="1 to 365 days"):
        issue(expires_in_days=days)
    assert not ApiKey.objects.exists()


@pytest.mark.parametrize(
    ("word", "short"), [("production", "live"), ("development", "dev"), ("test", "test"), ("live", "live")]
)
def test_issue_key_environment_in_either_spelling_is_understood(issue, word, short):
    issued = issue(environment=word)
    assert issued.row.environment == short
    assert issued.secret.text.startswith(f"hk_{short}_")


def test_issue_key_unknown_environment_is_refused(issue):
    with pytest.raises(ActionRefusedError, match="environment must be one of"):
        issue(environment="staging")


@pytest.mark.parametrize("name", ["", "   ", "x" * 101])
def test_issue_key_bad_name_is_refused(issue, name):
    with pytest.raises(ValidationError):
        issue(name=name)


@pytest.mark.parametrize("words", [[], ["model:execute"]])
def test_issue_key_bad_scope_is_refused(issue, words):
    with pytest.raises(scopes.UnknownScopeError):
        issue(words=words)


def test_issue_key_disabled_service_is_refused(issue, batch, actor):
    disabled = actions.disable_service(service=batch, reason="audit", actor=actor)
    with pytest.raises(ActionRefusedError, match="batch is disabled"):
        issue(service=disabled)


def test_issue_key_service_disabled_meanwhile_is_refused(issue, batch, actor):
    actions.disable_service(service=Service.objects.get(pk=batch.pk), reason="audit", actor=actor)
    with pytest.raises(ActionRefusedError, match="batch is disabled"):
        issue(service=batch)


def test_issue_key_uses_the_highest_pepper(issue, settings):
    settings.HOKUSAI_KEY_PEPPERS = {1: b"a" * 32, 3: b"c" * 32, 2: b"b" * 32}
    issued = issue()
    assert issued.row.pepper_number == 3
    assert issued.row.digest == keys.digest(issued.secret, 3, settings.HOKUSAI_KEY_PEPPERS)


def test_issue_key_records_the_public_facts(reader):
    event = last_event()
    assert (event.action, event.object_id, event.service_id) == ("api_key_issued", reader.row.public_id, "platform")
    assert event.after == {
        "name": "reader",
        "note": "",
        "scopes": ["artifact:read", "mlflow:read", "model:read"],
        "expires_at": reader.row.expires_at.isoformat(),
        "allowed_ips": [],
        "rate_limit_per_hour": None,
    }


def test_issued_key_repr_hides_the_secret(reader):
    assert reader.secret.text[20:] not in repr(reader)


def test_rotate_key_successor_verifies(reader, actor):
    new = actions.rotate_key(key=reader.row, actor=actor)
    assert verify(new.secret.text) == new.row
    assert new.row.predecessor == reader.row


def test_rotate_key_successor_copies_service_name_scopes_and_environment(issue, batch, actor):
    old = issue(service=batch, words=["model:write"], environment="test").row
    new = actions.rotate_key(key=old, actor=actor).row
    assert [new.service, new.name, new.scopes, new.environment] == [old.service, old.name, old.scopes, "test"]


def test_rotate_key_successor_lives_as_long_as_the_old_one_was_issued_for(issue, change, actor):
    old = issue(expires_in_days=30)
    change(old, created_at=old.row.created_at - 20 * DAY, expires_at=old.row.expires_at - 20 * DAY)
    new = actions.rotate_key(key=old.row, actor=actor).row
    assert new.expires_at - new.created_at == 30 * DAY
    assert new.expires_at > old.row.expires_at


def test_rotate_key_successor_lifetime_is_capped_by_todays_policy(issue, settings, actor):
    old = issue(expires_in_days=300).row
    settings.HOKUSAI_KEY_MAX_DAYS = 100
    new = actions.rotate_key(key=old, actor=actor).row
    assert new.expires_at - new.created_at == 100 * DAY


def test_rotate_key_old_one_ends_with_the_grace(reader, actor):
    new = actions.rotate_key(key=reader.row, grace=HOUR, actor=actor).row
    reader.row.refresh_from_db()
    assert reader.row.expires_at == new.created_at + HOUR
    assert verify(reader.secret.text) == reader.row


def test_rotate_key_default_grace_is_a_day(reader, actor):
    new = actions.rotate_key(key=reader.row, actor=actor).row
    reader.row.refresh_from_db()
    assert reader.row.expires_at == new.created_at + DAY


def test_rotate_key_grace_never_passes_the_old_expiry(reader, ends_in, actor):
    ends_in(reader, 60)
    expiry = reader.row.expires_at
    actions.rotate_key(key=reader.row, grace=HOUR, actor=actor)
    reader.row.refresh_from_db()
    assert reader.row.expires_at == expiry


def test_rotate_key_no_grace_ends_the_old_one_at_once(reader, actor):
    new = actions.rotate_key(key=reader.row, grace=datetime.timedelta(), actor=actor).row
    reader.row.refresh_from_db()
    assert reader.row.expires_at == new.created_at


@pytest.mark.parametrize("grace", [-SECOND, 366 * DAY])
def test_rotate_key_grace_outside_policy_is_refused(reader, actor, grace):
    with pytest.raises(ActionRefusedError, match="grace"):
        actions.rotate_key(key=reader.row, grace=grace, actor=actor)
    assert ApiKey.objects.count() == 1


def test_rotate_key_twice_names_the_successor(reader, actor):
    new = actions.rotate_key(key=reader.row, actor=actor).row
    with pytest.raises(AlreadyRotatedError, match=new.public_id):
        actions.rotate_key(key=reader.row, actor=actor)


def test_rotate_key_lost_race_is_told_as_such(reader, actor, monkeypatch):
    actions.rotate_key(key=reader.row, actor=actor)
    monkeypatch.setattr(actions.keys, "_refuse_unusable", lambda _: None)
    with pytest.raises(AlreadyRotatedError):
        actions.rotate_key(key=reader.row, actor=actor)
    assert ApiKey.objects.count() == 2


def test_rotate_key_revoked_is_refused(reader, actor):
    actions.revoke_key(key=reader.row, reason="lost", actor=actor)
    with pytest.raises(AlreadyRevokedError, match="lost"):
        actions.rotate_key(key=reader.row, actor=actor)


def test_rotate_key_expired_is_refused(reader, ends_in, actor):
    ends_in(reader, -1)
    with pytest.raises(ActionRefusedError, match="expired"):
        actions.rotate_key(key=reader.row, actor=actor)


def test_rotate_key_disabled_service_is_refused(stranger, batch, actor):
    actions.disable_service(service=batch, reason="audit", actor=actor)
    with pytest.raises(ActionRefusedError, match="batch is disabled"):
        actions.rotate_key(key=stranger.row, actor=actor)


def test_rotate_key_records_both_keys(reader, actor):
    expiry = reader.row.expires_at
    new = actions.rotate_key(key=reader.row, grace=HOUR, actor=actor).row
    event = last_event()
    assert (event.action, event.object_id) == ("api_key_rotated", reader.row.public_id)
    assert event.before == {"expires_at": expiry.isoformat()}
    assert event.after == {"expires_at": (new.created_at + HOUR).isoformat(), "successor": new.public_id}


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_expiry_and_rotation_clock_fifty_rotations_at_once_leave_one_successor(reader, actor):
    outcomes, gate = [], threading.Barrier(50)

    def rotate():
        gate.wait()
        try:
            outcomes.append(actions.rotate_key(key=reader.row, actor=actor))
        except AlreadyRotatedError as error:
            outcomes.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=rotate) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (winner,) = (outcome for outcome in outcomes if isinstance(outcome, actions.IssuedKey))
    assert sum(isinstance(outcome, AlreadyRotatedError) for outcome in outcomes) == 49
    assert ApiKey.objects.get(predecessor=reader.row) == winner.row
    assert AuditEvent.objects.filter(action="api_key_rotated").count() == 1


def test_revoke_key_is_refused_by_the_next_verification(reader, actor):
    verify(reader.secret.text)
    actions.revoke_key(key=reader.row, reason="lost laptop", actor=actor)
    with pytest.raises(CredentialRefusedError):
        verify(reader.secret.text)


def test_revoke_key_records_the_reason(reader, actor):
    row = actions.revoke_key(key=reader.row, reason=" lost laptop ", actor=actor)
    event = last_event()
    assert (event.action, event.object_id, event.reason) == ("api_key_revoked", row.public_id, "lost laptop")
    assert row.revoked_reason == "lost laptop"


@pytest.mark.parametrize("reason", ["", " \n"])
def test_revoke_key_without_reason_is_refused(reader, actor, reason):
    with pytest.raises(ActionRefusedError, match="reason"):
        actions.revoke_key(key=reader.row, reason=reason, actor=actor)
    assert verify(reader.secret.text)


@pytest.mark.parametrize("length", [501, 5000])
def test_revoke_key_reason_longer_than_its_column_is_refused(reader, actor, length):
    with pytest.raises(ActionRefusedError, match="reason"):
        actions.revoke_key(key=reader.row, reason="x" * length, actor=actor)


def test_revoke_key_twice_keeps_the_first_reason(reader, actor):
    actions.revoke_key(key=reader.row, reason="lost", actor=actor)
    with pytest.raises(AlreadyRevokedError, match="already revoked: lost"):
        actions.revoke_key(key=reader.row, reason="other", actor=actor)
    assert ApiKey.objects.get().revoked_reason == "lost"


def test_revoke_key_leaves_the_successor_alone(reader, actor):
    new = actions.rotate_key(key=reader.row, actor=actor)
    actions.revoke_key(key=reader.row, reason="lost", actor=actor)
    assert verify(new.secret.text) == new.row


def test_revoke_key_time_is_the_databases(reader, actor):
    before = database_now()
    assert before <= actions.revoke_key(key=reader.row, reason="lost", actor=actor).revoked_at <= database_now()


def test_disable_service_refuses_every_key_of_it_alone(stranger, reader, batch, actor):
    actions.disable_service(service=batch, reason="audit", actor=actor)
    with pytest.raises(CredentialRefusedError):
        verify(stranger.secret.text)
    assert verify(reader.secret.text) == reader.row


def test_disable_service_records_the_reason(batch, actor):
    actions.disable_service(service=batch, reason="audit", actor=actor)
    event = last_event()
    assert (event.action, event.object_id, event.reason) == ("service_disabled", "batch", "audit")


def test_disable_service_without_reason_is_refused(batch, actor):
    with pytest.raises(ActionRefusedError, match="reason"):
        actions.disable_service(service=batch, reason="", actor=actor)


def test_disable_service_twice_is_refused(batch, actor):
    actions.disable_service(service=batch, reason="audit", actor=actor)
    with pytest.raises(ActionRefusedError, match="already disabled: audit"):
        actions.disable_service(service=batch, reason="again", actor=actor)


def test_enable_service_lets_its_keys_work_again(stranger, batch, actor):
    actions.disable_service(service=batch, reason="audit", actor=actor)
    actions.enable_service(service=batch, actor=actor)
    assert verify(stranger.secret.text) == stranger.row


def test_enable_service_leaves_revoked_keys_revoked(stranger, batch, actor):
    actions.revoke_key(key=stranger.row, reason="lost", actor=actor)
    actions.disable_service(service=batch, reason="audit", actor=actor)
    actions.enable_service(service=batch, actor=actor)
    with pytest.raises(CredentialRefusedError):
        verify(stranger.secret.text)


def test_enable_service_records_what_it_ended(batch, actor):
    disabled = actions.disable_service(service=batch, reason="audit", actor=actor)
    actions.enable_service(service=batch, reason="passed", actor=actor)
    event = last_event()
    assert (event.action, event.object_id, event.reason) == ("service_enabled", "batch", "passed")
    assert event.before == {"disabled_at": disabled.disabled_at.isoformat(), "disabled_reason": "audit"}


def test_enable_service_not_disabled_is_refused(batch, actor):
    with pytest.raises(ActionRefusedError, match="not disabled"):
        actions.enable_service(service=batch, actor=actor)


CHANGES = {
    "issue": lambda row, actor: actions.issue_key(service=row.service, name="n", scopes=["model:read"], actor=actor),
    "rotate": lambda row, actor: actions.rotate_key(key=row, actor=actor),
    "revoke": lambda row, actor: actions.revoke_key(key=row, reason="lost", actor=actor),
    "disable": lambda row, actor: actions.disable_service(service=row.service, reason="audit", actor=actor),
    "create": lambda _, actor: actions.create_service(service_id="other", actor=actor),
}


@pytest.mark.parametrize("change_something", CHANGES.values(), ids=CHANGES)
def test_action_audit_refused_writes_nothing(reader, actor, monkeypatch, change_something):
    def fail(**facts):
        raise DatabaseError("no trail")

    before = snapshot()
    monkeypatch.setattr(AuditEvent.objects, "create", fail)
    with pytest.raises(DatabaseError, match="no trail"):
        change_something(reader.row, actor)
    assert snapshot() == before


@pytest.mark.parametrize("change_something", CHANGES.values(), ids=CHANGES)
def test_action_writes_one_event(reader, actor, change_something):
    before = AuditEvent.objects.count()
    change_something(reader.row, actor)
    assert AuditEvent.objects.count() == before + 1


def snapshot():
    return [list(model.objects.order_by("pk").values()) for model in (Service, ApiKey, AuditEvent)]


def test_issue_key_named_like_a_key_is_refused_and_not_repeated(issue):
    secret = keys.mint("live").text
    with pytest.raises(ActionRefusedError, match="secrets are never stored") as refusal:
        issue(name=f"for {secret}")
    assert secret[20:] not in str(refusal.value)


def test_revoke_key_with_the_key_as_reason_is_refused(reader, actor):
    with pytest.raises(ActionRefusedError, match="secrets are never stored"):
        actions.revoke_key(key=reader.row, reason=f"leaked {reader.secret.text}", actor=actor)
