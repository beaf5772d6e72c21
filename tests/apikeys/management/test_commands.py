"""Key commands: what each prints in its three forms, and how refusals read."""

import datetime
import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from apikeys import actions, keys
from apikeys.authentication import verify
from apikeys.models import ApiKey, AuditEvent

pytestmark = pytest.mark.django_db


def run(*words):
    out = StringIO()
    call_command(*words, stdout=out, no_color=True)
    return out.getvalue()


def refusal(*words):
    with pytest.raises(CommandError) as caught:
        run(*words)
    return str(caught.value)


ISSUE = ("issue_key", "--name", "laptop", "--scope", "model:read")


def test_issue_key_quiet_prints_the_key_alone():
    text = run(*ISSUE, "--quiet")
    assert text == f"{keys.parse(text.strip()).text}\n"
    assert verify(text.strip()).name == "laptop"


def test_issue_key_json_carries_the_key_and_its_facts():
    document = json.loads(run(*ISSUE, "--json"))
    row = verify(document["secret"])
    assert document["api_key"] == document["secret"]
    assert document["expires_at"] == row.expires_at.isoformat()
    assert [document[word] for word in ("key_id", "service_id", "name", "environment", "scopes")] == [
        *(row.public_id, "platform", "laptop", "live"),
        ["model:read"],
    ]


def test_issue_key_plain_shows_the_key_once():
    text = run(*ISSUE)
    assert text.count(ApiKey.objects.get().public_id) == 2
    assert "shown this once" in text
    assert "model:read" in text


def test_issue_key_default_service_is_platform():
    run(*ISSUE)
    assert ApiKey.objects.get().service.service_id == "platform"


def test_issue_key_of_a_named_service(batch):
    run(*ISSUE, "--service", "batch")
    assert ApiKey.objects.get().service == batch


def test_issue_key_scopes_and_preset_add_up():
    run(*ISSUE, "--scope", "audit:read", "--preset", "contributor")
    assert ApiKey.objects.get().scopes == ["artifact:write", "audit:read", "mlflow:write", "model:read", "model:write"]


def test_issue_key_lifetime_and_environment_are_kept():
    run(*ISSUE, "--expires-in-days", "7", "--environment", "test")
    row = ApiKey.objects.get()
    assert (row.expires_at - row.created_at, row.environment) == (datetime.timedelta(days=7), "test")


def test_issue_key_actor_is_the_person_at_the_terminal(monkeypatch):
    monkeypatch.setenv("LOGNAME", "carol")
    run(*ISSUE)
    assert "carol" in AuditEvent.objects.get(action="api_key_issued").actor
    assert "carol" in ApiKey.objects.get().created_by


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--service", "nobody"), "no service nobody. Known: platform"),
        (("--scope", "model:execute"), "unknown scope model:execute"),
        (("--expires-in-days", "366"), "1 to 365 days"),
        (("--environment", "staging"), "environment must be one of live, test, dev"),
        (("--name", ""), "blank"),
        (("--json", "--quiet"), "not allowed with"),
        (("--preset", "king"), "invalid choice"),
    ],
)
def test_issue_key_mistake_is_one_sentence_and_no_key(words, sentence):
    assert sentence in refusal(*ISSUE, *words)
    assert not ApiKey.objects.exists()


def test_issue_key_without_scope_is_refused():
    assert "at least one scope" in refusal("issue_key", "--name", "laptop")


@pytest.mark.parametrize("command", ["issue_key", "rotate_key"])
def test_env_prints_the_two_exports_of_a_client(settings, reader, command):
    settings.HOKUSAI_TRACKING_URI = "https://registry.example.org/api/mlflow"
    words = ISSUE if command == "issue_key" else (command, reader.row.public_id)
    uri, token = run(*words, "--env").splitlines()
    assert uri == "export MLFLOW_TRACKING_URI=https://registry.example.org/api/mlflow"
    assert verify(token.removeprefix("export MLFLOW_TRACKING_TOKEN=")).service.service_id == "platform"


def test_env_without_public_url_begins_nothing(reader):
    for words in (ISSUE, ("rotate_key", reader.row.public_id)):
        with pytest.raises(CommandError, match="HOKUSAI_PUBLIC_URL") as caught:
            run(*words, "--env")
        assert caught.value.returncode == 2
    assert ApiKey.objects.count() == 1


def test_presign_service_has_three_forms(platform):
    assert "straight to the store" in run("presign_service", "platform", "on")
    assert json.loads(run("presign_service", "platform", "off", "--json"))["presigned_urls"] is False
    assert run("presign_service", "platform", "on", "--quiet") == ""


def test_list_keys_json_is_what_the_rest_api_says_of_a_key(reader):
    run("rotate_key", reader.row.public_id)
    new, old = json.loads(run("list_keys", "--json"))
    assert (old["rotated_to"], new["rotated_from"]) == (new["key_id"], old["key_id"])
    assert (old["status"], old["grace_ends_at"]) == ("in grace", old["expires_at"])


def test_list_keys_quiet_prints_public_ids(reader, writer):
    assert set(run("list_keys", "--quiet").split()) == {reader.row.public_id, writer.row.public_id}


def test_list_keys_json_carries_status_and_no_secret(reader):
    text = run("list_keys", "--json")
    (document,) = json.loads(text)
    assert (document["key_id"], document["status"]) == (reader.row.public_id, "active")
    assert reader.secret.text[20:] not in text
    assert reader.row.digest not in text


def test_list_keys_table_has_a_line_a_key(reader, writer):
    heading, *lines = run("list_keys").splitlines()
    assert heading.split() == ["KEY", "SERVICE", "NAME", "STATUS", "EXPIRES", "LAST", "USED", "SCOPES"]
    assert [line.split()[2] for line in lines] == ["writer", "reader"]


def test_list_keys_none_says_what_to_do_next():
    assert "issue_key" in run("list_keys")


def test_list_keys_leaves_out_what_has_ended(refused):
    assert run("list_keys", "--quiet").split() == [refused["KEY_SECRET_WRONG"].row.public_id]


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        *(("KEY_REVOKED", "revoked"), ("KEY_EXPIRED", "expired")),
        *(("KEY_DISABLED", "disabled"), ("SERVICE_DISABLED", "disabled")),
    ],
)
def test_list_keys_all_names_the_status(refused, reason, status):
    statuses = {row["key_id"]: row["status"] for row in json.loads(run("list_keys", "--all", "--json"))}
    assert statuses[refused[reason].row.public_id] == status


def test_list_keys_of_one_service(reader, stranger):
    assert run("list_keys", "--service", "batch", "--quiet").split() == [stranger.row.public_id]


def test_list_keys_unknown_service_is_named():
    assert "no service nobody" in refusal("list_keys", "--service", "nobody")


def test_rotate_key_quiet_prints_the_successor_alone(reader):
    new = verify(run("rotate_key", reader.row.public_id, "--quiet").strip())
    assert new.predecessor == reader.row


def test_rotate_key_json_names_both_keys(reader):
    document = json.loads(run("rotate_key", reader.row.public_id, "--json"))
    assert document["replaces"] == reader.row.public_id
    assert verify(document["api_key"]).public_id == document["key_id"]


def test_rotate_key_json_times_are_all_iso(reader):
    document = json.loads(run("rotate_key", reader.row.public_id, "--json", "--grace-seconds", "60"))
    reader.row.refresh_from_db()
    assert datetime.datetime.fromisoformat(document["old_key_ends"]) == reader.row.expires_at


def test_rotate_key_plain_says_when_the_old_one_ends(reader):
    text = run("rotate_key", reader.row.public_id, "--grace-seconds", "60")
    reader.row.refresh_from_db()
    assert f"{reader.row.expires_at:%Y-%m-%d %H:%M}" in text


@pytest.mark.parametrize("seconds", ["-1", str(10**8)])
def test_rotate_key_grace_outside_policy_is_one_sentence(reader, seconds):
    assert "grace" in refusal("rotate_key", reader.row.public_id, f"--grace-seconds={seconds}")
    assert ApiKey.objects.count() == 1


def test_rotate_key_grace_beyond_any_date_is_one_sentence(reader):
    assert "larger than any date" in refusal("rotate_key", reader.row.public_id, f"--grace-seconds={10**30}")


def test_rotate_key_revoked_is_one_sentence(reader, actor):
    actions.revoke_key(key=reader.row, reason="lost", actor=actor)
    assert "was revoked: lost" in refusal("rotate_key", reader.row.public_id)


def test_revoke_key_plain_says_what_happened(reader):
    text = run("revoke_key", reader.row.public_id, "--reason", "lost laptop")
    reader.row.refresh_from_db()
    assert reader.row.revoked_reason == "lost laptop"
    assert reader.row.public_id in text


def test_revoke_key_quiet_prints_nothing(reader):
    assert run("revoke_key", reader.row.public_id, "--reason", "lost", "--quiet") == ""


def test_revoke_key_json_carries_time_and_reason(reader):
    document = json.loads(run("revoke_key", reader.row.public_id, "--reason", "lost", "--json"))
    reader.row.refresh_from_db()
    assert (document["revoked_at"], document["revoked_reason"]) == (reader.row.revoked_at.isoformat(), "lost")


def test_revoke_key_without_reason_is_refused(reader):
    assert "--reason" in refusal("revoke_key", reader.row.public_id)


def test_revoke_key_twice_is_one_sentence(reader):
    run("revoke_key", reader.row.public_id, "--reason", "lost")
    assert "already revoked" in refusal("revoke_key", reader.row.public_id, "--reason", "again")


@pytest.mark.parametrize("command", [("rotate_key",), ("revoke_key", "--reason", "lost")])
def test_find_key_whole_key_pasted_by_mistake_is_not_repeated(reader, command):
    name, *words = command
    sentence = refusal(name, reader.secret.text, *words)
    assert "list_keys" in sentence
    assert reader.secret.text[20:] not in sentence


@pytest.mark.parametrize("name", ["issue_key", "list_keys", "rotate_key", "revoke_key"])
def test_command_help_offers_json_and_quiet(name, capsys):
    with pytest.raises(SystemExit) as caught:
        call_command(name, "--help")
    text = capsys.readouterr().out
    assert caught.value.code == 0
    assert "--json" in text
    assert "--quiet" in text
