"""The command that explains: its forms, and exit statuses that a script can tell apart."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

pytestmark = pytest.mark.django_db

SEARCH = ("GET", "/api/mlflow/api/2.0/mlflow/experiments/search")
CREATE = ("POST", "/api/mlflow/api/2.0/mlflow/experiments/create")


def run(*words):
    """Return what was printed, and how the command ended: a status and a sentence."""
    out = StringIO()
    try:
        call_command("explain", *words, stdout=out, no_color=True)
    except CommandError as error:
        return out.getvalue(), error.returncode, str(error)
    return out.getvalue(), 0, ""


def test_explain_allowed_says_which_scope_opens_it(writer):
    text, status, _ = run(writer.row.public_id, *SEARCH)
    assert status == 0
    assert "Allowed" in text
    assert "mlflow:write" in text.split("opened by")[1].splitlines()[0]


def test_explain_refused_is_status_3_and_names_presets_that_would_do(reader):
    text, status, sentence = run(reader.row.public_id, *CREATE)
    assert status == 3
    assert sentence.startswith("403 SCOPE_MISSING: ")
    assert "contributor, registrar, operator" in text


def test_explain_json_holds_question_and_answer(reader):
    text, status, _ = run(reader.row.public_id, *CREATE, "--json")
    document = json.loads(text)
    assert status == 3
    assert (document["key_id"], document["is_allowed"]) == (reader.row.public_id, False)
    assert (document["reason"], document["required_scope"]) == ("SCOPE_MISSING", "mlflow:write")


def test_explain_quiet_answers_by_its_status(reader):
    assert run(reader.row.public_id, *SEARCH, "--quiet")[:2] == ("", 0)
    assert run(reader.row.public_id, *CREATE, "--quiet")[:2] == ("", 3)


def test_explain_judges_the_address_given(issue):
    key = issue(allowed_ips=["192.0.2.0/24"]).row.public_id
    assert run(key, *SEARCH, "--address", "192.0.2.1", "--quiet")[1] == 0
    assert run(key, *SEARCH, "--address", "198.51.100.1")[2].startswith("403 ADDRESS_REFUSED")


@pytest.mark.parametrize("more", [("GET", "/admin/"), (*SEARCH, "--address", "home")])
def test_explain_what_it_cannot_judge_is_status_2(reader, more):
    assert run(reader.row.public_id, *more)[1] == 2


def test_explain_repeats_no_key_that_was_pasted(reader):
    secret = reader.secret.text
    text, _, sentence = run(reader.row.public_id, "GET", f"{SEARCH[1]}?api_key={secret}", "--json")
    assert json.loads(text)["reason"] == "KEY_IN_QUERY"
    assert secret[20:] not in text + sentence
    assert secret[20:] not in "".join(map(str, run(secret, *SEARCH)))
