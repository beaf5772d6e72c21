"""export_config and import_config: a file of services, a plan before it acts, and all of it or nothing."""

import io
import json
import sys
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from apikeys.actions import change_service
from apikeys.models import AuditEvent, Service
from mlflow_proxy.management.commands import import_config

pytestmark = pytest.mark.django_db

BATCH = """version: 1
services:
  batch:
    owner: ml-team
    default_scopes: [model:read, artifact:read]
    default_days: 30
"""


@pytest.fixture
def carry(tmp_path):
    """Import a text; returns what was printed, and how the command ended: a status and a sentence."""

    def import_text(text, *words):
        (tmp_path / "services.yaml").write_text(text)
        return carried(str(tmp_path / "services.yaml"), *words)

    return import_text


def carried(*words):
    out = StringIO()
    try:
        call_command("import_config", *words, stdout=out, no_color=True)
    except CommandError as error:
        return out.getvalue(), error.returncode, str(error)
    return out.getvalue(), 0, ""


def exported(*words):
    out = StringIO()
    call_command("export_config", *words, stdout=out)
    return out.getvalue()


def events():
    return list(AuditEvent.objects.values_list("action", flat=True))


def test_import_registers_a_service_with_its_defaults(carry):
    text, status, _ = carry(BATCH, "--yes")
    service = Service.objects.get(service_id="batch")
    assert (service.owner, service.default_days) == ("ml-team", 30)
    assert service.default_scopes == ["artifact:read", "model:read"]
    assert status == 0
    assert "+ service batch" in text


def test_import_is_in_the_audit_trail_as_actions_are(carry):
    carry(BATCH, "--yes")
    assert events()[:2] == ["service_changed", "service_created"]


def test_import_again_changes_nothing(carry):
    carry(BATCH, "--yes")
    before = events()
    text, status, _ = carry(BATCH, "--dry-run")
    assert (status, events()) == (0, before)
    assert "0 to register, 0 to change, 1 as in the file" in text


def test_import_of_an_export_changes_nothing(carry, batch, actor):
    change_service(service=batch, actor=actor, description="at night", default_days=7, default_scopes=["model:read"])
    assert carry(exported(), "--dry-run")[1] == 0
    assert carry(exported("--json"), "--dry-run")[1] == 0


def test_import_dry_run_shows_the_difference_and_writes_nothing(carry, batch):
    before = events()
    text, status, _ = carry(BATCH, "--dry-run")
    assert status == 3
    assert '"" → "ml-team"' in text
    assert "none → 30" in text
    assert "left alone: platform" in text
    batch.refresh_from_db()
    assert (batch.owner, events()) == ("", before)


def test_import_json_is_the_plan(carry, batch):
    document = json.loads(carry(BATCH, "--dry-run", "--json")[0])
    (change,) = document["changes"]
    assert (document["is_applied"], change["service_id"], change["is_new"]) == (False, "batch", False)
    assert change["fields"]["default_days"] == {"before": None, "after": 30}


def test_import_field_left_out_stays(carry, batch, actor):
    change_service(service=batch, actor=actor, contact="ml@example.org")
    carry(BATCH, "--yes", "--quiet")
    batch.refresh_from_db()
    assert (batch.contact, batch.owner) == ("ml@example.org", "ml-team")


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ("{default_days: 366}", "service zeta: a key lives 1 to 365 days"),
        ("{default_scopes: [model:execute]}", "service zeta: unknown scope model:execute"),
        ("{default_rate_limit_per_hour: 1}", "service zeta: a key makes 10 to"),
        ("{owner: %s}" % ("x" * 201), "service zeta: "),
    ],
)
@pytest.mark.parametrize("how", ["--dry-run", "--yes"])
def test_import_against_a_rule_is_refused_as_a_whole(carry, facts, words, how):
    text, status, sentence = carry(f"{BATCH}  zeta: {facts}\n", how)
    assert (text, status) == ("", 1)
    assert words in sentence
    assert not Service.objects.filter(service_id__in=["batch", "zeta"]).exists()


def test_import_of_a_bad_service_id_is_refused(carry):
    assert carry("version: 1\nservices: {Bad_Id: {}}", "--yes")[1] == 1


def test_import_of_unknown_field_has_not_begun(carry):
    _, status, sentence = carry(f"{BATCH}    api_key: x\n", "--yes")
    assert (status, "unknown fields: api_key" in sentence) == (2, True)


def test_import_of_no_file_has_not_begun(tmp_path):
    assert carried(str(tmp_path / "none.yaml"), "--yes")[1] == 2


def test_import_without_a_person_needs_yes(carry, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    _, status, sentence = carry(BATCH)
    assert (status, "--yes" in sentence) == (2, True)
    assert not Service.objects.filter(service_id="batch").exists()


@pytest.mark.parametrize(("answer", "status"), [("y", 0), ("YES ", 0), ("", 1), ("n", 1)])
def test_import_asks_a_person_first(carry, monkeypatch, answer, status):
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda _: answer)
    assert carry(BATCH)[1] == status
    assert Service.objects.filter(service_id="batch").exists() == (status == 0)


def test_import_reads_standard_input(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO(BATCH))
    assert carried("-", "--yes")[1] == 0
    assert Service.objects.filter(service_id="batch").exists()


PINNED = "version: 1\nservices: {platform: {workspaces: [team-b, team-a], presigned_urls: true}}"


def test_import_pins_after_the_workspaces_are_there(carry, settings, monkeypatch, platform):
    settings.HOKUSAI_WORKSPACES = True
    made = []
    monkeypatch.setattr(import_config, "ensure_workspace", made.append)
    assert carry(PINNED, "--dry-run")[1] == 3
    assert made == []
    assert carry(PINNED, "--yes")[1] == 0
    platform.refresh_from_db()
    assert (platform.workspaces, platform.presigned_urls) == (["team-b", "team-a"], True)
    assert made == ["team-b", "team-a"]


def test_import_pins_nothing_when_mlflow_makes_no_workspace(carry, settings, platform):
    settings.HOKUSAI_WORKSPACES, settings.MLFLOW_SERVER_URL = True, "http://127.0.0.1:9"
    assert carry(PINNED, "--yes")[1] == 1
    platform.refresh_from_db()
    assert platform.workspaces == []


def test_import_pins_nothing_where_there_are_no_workspaces(carry, settings):
    settings.HOKUSAI_WORKSPACES = False
    assert carry(PINNED, "--dry-run")[1] == 2


def test_export_holds_settings_and_no_key(reader, batch):
    text = exported()
    assert "platform:" in text
    assert "batch:" in text
    assert "hk_" not in text
    assert reader.row.digest not in text
    assert "platform" not in exported("--service", "batch")
