"""whoami: says whose key it is by the code of every call, and shows no secret."""

import io
import json
import sys
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

pytestmark = pytest.mark.django_db


def run(*words):
    out = StringIO()
    call_command("whoami", *words, stdout=out, no_color=True)
    return out.getvalue()


@pytest.fixture
def ask(settings):
    """Ask about a key by the variable of the environment."""

    def ask_about(issued, *words):
        settings.HOKUSAI_API_KEY = issued.secret.text
        return run(*words)

    return ask_about


def test_whoami_tells_service_key_and_scopes_and_no_secret(ask, reader):
    text = ask(reader)
    assert f"Key {reader.row.public_id} of service platform may be used now" in text
    assert "artifact:read mlflow:read model:read" in text
    assert reader.secret.text[20:] not in text


def test_whoami_json_is_the_key_and_that_it_is_valid(ask, reader):
    document = json.loads(ask(reader, "--json"))
    assert (document["is_valid"], document["key_id"], document["status"]) == (True, reader.row.public_id, "active")


def test_whoami_quiet_prints_the_public_id_alone(ask, reader):
    assert ask(reader, "--quiet") == f"{reader.row.public_id}\n"


def test_whoami_reads_standard_input_when_told(monkeypatch, reader, settings):
    settings.HOKUSAI_API_KEY = "hk_live_of_somebody_else"
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{reader.secret.text}\n"))
    assert run("--key-stdin", "--quiet").strip() == reader.row.public_id


@pytest.mark.parametrize("reason", ["KEY_REVOKED", "KEY_EXPIRED", "KEY_DISABLED", "SERVICE_DISABLED", "KEY_UNKNOWN"])
def test_whoami_of_a_refused_key_tells_why_with_status_3(ask, refused, reason):
    with pytest.raises(CommandError, match=reason) as caught:
        ask(refused[reason])
    assert caught.value.returncode == 3
    assert refused[reason].secret.text[20:] not in str(caught.value)


def test_whoami_json_of_what_is_no_key_repeats_nothing(settings, capsys):
    settings.HOKUSAI_API_KEY = "a-password-of-something-else"
    with pytest.raises(CommandError) as caught:
        call_command("whoami", "--json")
    document = json.loads(capsys.readouterr().out)
    assert document == {"is_valid": False, "reason": "KEY_MALFORMED", "key_id": None}
    assert "password" not in str(caught.value)


def test_whoami_without_a_key_has_not_begun(settings):
    settings.HOKUSAI_API_KEY = ""
    with pytest.raises(CommandError, match="HOKUSAI_API_KEY") as caught:
        run()
    assert caught.value.returncode == 2
