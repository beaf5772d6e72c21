"""Commands end as docs/commands.md says: 2 where nothing was begun, and with --quiet without a word."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command


def run(*words):
    out = StringIO()
    try:
        call_command(*words, stdout=out, no_color=True)
    except CommandError as error:
        return error.returncode, out.getvalue()
    return 0, out.getvalue()


@pytest.mark.parametrize(
    "words",
    [
        ("check_storage",),
        ("sweep_uploads",),
        ("verify_registry", "--url", "http://127.0.0.1:9"),
        ("doctor", "--url", "http://127.0.0.1:9"),
    ],
)
def test_command_without_what_it_needs_has_not_begun(settings, words):
    settings.HOKUSAI_ARTIFACT_DESTINATION = settings.HOKUSAI_API_KEY = ""
    assert run(*words) == (2, "")


@pytest.mark.parametrize("words", [("verify_registry", "--url", "registry"), ("doctor", "--url", "ftp://x")])
def test_command_with_an_address_that_is_none_has_not_begun(settings, words, tmp_path):
    settings.HOKUSAI_API_KEY, settings.HOKUSAI_MLFLOW_PYTHON = "hk_live_x", str(tmp_path)
    assert run(*words) == (2, "")


def test_sweep_of_a_time_to_come_has_not_begun(settings, tmp_path):
    settings.HOKUSAI_ARTIFACT_DESTINATION = str(tmp_path)
    assert run("sweep_uploads", "--older-than-hours=-1")[0] == 2


@pytest.mark.parametrize("command", ["check_storage", "sweep_uploads"])
def test_quiet_command_says_nothing_when_all_is_well(settings, tmp_path, command):
    settings.HOKUSAI_ARTIFACT_DESTINATION = str(tmp_path)
    assert run(command, "--quiet") == (0, "")
    assert run(command)[1] != ""


def test_quiet_walk_answers_by_its_status(settings):
    settings.HOKUSAI_API_KEY = "hk_live_x"
    assert run("doctor", "--url", "http://127.0.0.1:9", "--quiet") == (1, "")


@pytest.mark.django_db
def test_pin_service_where_there_are_no_workspaces_has_not_begun(settings):
    settings.HOKUSAI_WORKSPACES = False
    assert run("pin_service", "platform", "--workspace", "team-a") == (2, "")
    assert run("pin_service", "platform", "--quiet") == (0, "")
