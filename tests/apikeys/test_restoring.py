"""A restore revives nothing: the log and the exported trail are enough to end again what has ended."""

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from apikeys import actions, restoring
from apikeys.admin.exports import as_json_lines
from apikeys.authentication import verify
from apikeys.credentials import CredentialRefusedError
from apikeys.management.base import NOT_BEGUN
from apikeys.models import ApiKey, AuditEvent, Service


def revive(*keys):
    """Bring rows back to what they were in the backup."""
    rows = ApiKey.objects.filter(public_id__in=[key.row.public_id for key in keys])
    rows.update(revoked_at=None, revoked_reason="", disabled_at=None, disabled_reason="")
    Service.objects.update(disabled_at=None, disabled_reason="")


def is_good(key):
    try:
        verify(key.secret.text)
    except CredentialRefusedError:
        return False
    return True


@pytest.fixture
def trail():
    """The trail as somebody exported it before the database was lost."""
    return lambda: list(as_json_lines(AuditEvent.objects.all()))


def test_restored_key_that_was_revoked_is_revoked_again(reader, actor, trail):
    actions.revoke_key(key=reader.row, reason="leaked", actor=actor)
    lines = trail()
    revive(reader)
    assert is_good(reader)
    assert restoring.end_again(restoring.read(lines), actor) == {"revoked": 1}
    assert not is_good(reader)
    assert AuditEvent.objects.filter(action="api_key_revoked", reason="after a restore: leaked").exists()


def test_log_is_as_good_as_the_trail(reader, actor, log_output, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        actions.revoke_key(key=reader.row, reason="leaked", actor=actor)
    lines = [f"2026-01-01 portal-1 {line}" for line in log_output.getvalue().splitlines()]
    revive(reader)
    assert restoring.end_again(restoring.read(lines), actor) == {"revoked": 1}


def test_second_time_changes_nothing(reader, actor, trail):
    actions.revoke_key(key=reader.row, reason="leaked", actor=actor)
    lines = trail()
    assert restoring.end_again(restoring.read(lines * 2), actor) == {"already": 1}


def test_key_younger_than_the_backup_is_unknown(db, actor):
    line = json.dumps({"at": "2026-01-01T00:00:00", "action": "api_key_revoked", "object_id": "hk_live_gone"})
    assert restoring.end_again(restoring.read([line]), actor) == {"unknown": 1}


@pytest.mark.parametrize("is_over", [True, False])
def test_rotated_key_ends_when_its_grace_is_over(reader, actor, trail, is_over):
    grace = timedelta() if is_over else timedelta(days=1)
    actions.rotate_key(key=reader.row, grace=grace, actor=actor)
    lines = trail()
    ApiKey.objects.filter(pk=reader.row.pk).update(expires_at=reader.row.expires_at)
    restoring.end_again(restoring.read(lines), actor)
    assert is_good(reader) is not is_over


def test_pause_comes_back_unless_it_was_ended(reader, writer, actor, trail):
    for key in (reader, writer):
        actions.disable_key(key=key.row, reason="holiday", actor=actor)
    actions.enable_key(key=writer.row, actor=actor)
    lines = trail()
    revive(reader, writer)
    assert restoring.end_again(restoring.read(lines), actor) == {"disabled": 1}
    assert (is_good(reader), is_good(writer)) == (False, True)


def test_service_that_was_paused_is_paused_again(reader, platform, actor, trail):
    actions.disable_service(service=platform, reason="broken in", actor=actor)
    lines = trail()
    revive(reader)
    assert restoring.end_again(restoring.read(lines), actor) == {"disabled": 1}
    assert not is_good(reader)


@pytest.mark.parametrize("line", ["", "no JSON {", "[]", '{"action": 7}', '{"action": "api_key_revoked"}', "{" * 5000])
def test_line_that_is_something_else_is_passed_over(line):
    assert restoring.read([line]) == []


def test_command_says_what_it_did(reader, actor, trail, tmp_path):
    actions.revoke_key(key=reader.row, reason="leaked", actor=actor)
    file = tmp_path / "trail.jsonl"
    file.write_text("".join(trail()))
    revive(reader)
    told = StringIO()
    call_command("end_again", str(file), stdout=told)
    assert "Revoked 1, disabled 0; 0 need nothing, 0 are younger" in told.getvalue()
    told = StringIO()
    call_command("end_again", "--json", str(file), stdout=told)
    document = json.loads(told.getvalue())
    assert document.pop("read_until") in file.read_text()
    assert document == {"revoked": 0, "disabled": 0, "already": 1, "unknown": 0}
    told = StringIO()
    call_command("end_again", "--quiet", str(file), stdout=told)
    assert told.getvalue() == ""


@pytest.mark.parametrize(("content", "complaint"), [("", "No line tells"), (None, "cannot be read")])
def test_command_that_finds_nothing_has_not_begun(db, tmp_path, content, complaint):
    file = tmp_path / "log"
    if content is not None:
        file.write_text(content)
    with pytest.raises(CommandError, match=complaint) as caught:
        call_command("end_again", str(file))
    assert caught.value.returncode == NOT_BEGUN
