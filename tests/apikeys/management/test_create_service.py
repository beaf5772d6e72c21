"""The command that registers a service."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from apikeys.models import AuditEvent, Service

pytestmark = pytest.mark.django_db


def run(*words):
    out = StringIO()
    call_command("create_service", *words, stdout=out, no_color=True)
    return out.getvalue()


def refusal(*words):
    with pytest.raises(CommandError) as caught:
        run(*words)
    return str(caught.value)


def test_create_service_registers_it_with_its_facts():
    run("nightly", "--description", "trains at night", "--owner", "ml-team")
    service = Service.objects.get(service_id="nightly")
    assert (service.description, service.owner, service.workspaces) == ("trains at night", "ml-team", [])


def test_create_service_tells_the_next_step():
    assert "issue_key --service nightly" in run("nightly")


def test_create_service_json_is_its_facts():
    document = json.loads(run("nightly", "--owner", "ml-team", "--json"))
    assert (document["service_id"], document["owner"], document["default_scopes"]) == ("nightly", "ml-team", [])


def test_create_service_quiet_prints_nothing():
    assert run("nightly", "--quiet") == ""


def test_create_service_is_in_the_audit_trail():
    run("nightly", "--owner", "ml-team")
    event = AuditEvent.objects.get(action="service_created", object_id="nightly")
    assert event.actor.startswith("command line: ")
    assert (event.object_id, event.after["owner"]) == ("nightly", "ml-team")


def test_create_service_taken_id_is_refused():
    run("nightly")
    assert "already exists" in refusal("nightly")
    assert Service.objects.filter(service_id="nightly").count() == 1


@pytest.mark.parametrize("name", ["Nightly", "a b", "a_b", "x" * 64, "", "../x", "ü"])
def test_create_service_bad_id_is_refused_and_nothing_is_written(name):
    refusal(name)
    assert not Service.objects.filter(service_id=name).exists()
    assert not AuditEvent.objects.filter(action="service_created", object_id=name).exists()
