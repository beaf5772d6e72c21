"""The command that pins a service to workspaces, and the rule behind it."""

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from apikeys import actions
from apikeys.models import AuditEvent, Service
from tests.mlflow_proxy.stub import Answer, Stub, ok

pytestmark = pytest.mark.django_db
EXISTS = json.dumps({"error_code": "RESOURCE_ALREADY_EXISTS", "message": "there"}).encode()


@pytest.fixture(autouse=True)
def _workspaces_are_on(settings: Any) -> None:
    settings.HOKUSAI_WORKSPACES = True


def run(*words: str) -> str:
    out = StringIO()
    call_command("pin_service", *words, stdout=out, no_color=True)
    return out.getvalue()


def refusal(*words: str) -> str:
    with pytest.raises(CommandError) as caught:
        run(*words)
    return str(caught.value)


def workspaces() -> list[str]:
    return Service.objects.get(service_id="batch").workspaces


def test_pin_service_creates_the_workspaces_and_pins_in_their_order(stub: Stub, batch: Service) -> None:
    text = run("batch", "--workspace", "team-b", "--workspace", "team-a")
    assert workspaces() == ["team-b", "team-a"]
    assert [(seen.method, seen.target) for seen in stub.seen] == [("POST", "/mlflow/api/3.0/mlflow/workspaces")] * 2
    assert [json.loads(seen.body) for seen in stub.seen] == [{"name": "team-b"}, {"name": "team-a"}]
    assert text.count("created") == 2


def test_pin_service_call_to_mlflow_names_no_workspace_and_never_looks_local(stub: Stub, batch: Service) -> None:
    run("batch", "--workspace", "team-a")
    assert stub.seen[0].header("X-MLFLOW-WORKSPACE") is None
    assert stub.seen[0].header("X-Forwarded-For") is not None
    assert stub.seen[0].all_of("Host") == [stub.netloc]


def test_pin_service_workspace_that_is_there_already_is_fine(stub: Stub, batch: Service) -> None:
    stub.reply(ok(EXISTS, status="400 Bad Request"))
    assert "there already" in run("batch", "--workspace", "team-a")
    assert workspaces() == ["team-a"]


def test_pin_service_mlflow_s_complaint_is_told_and_nothing_is_pinned(stub: Stub, batch: Service) -> None:
    stub.reply(ok(b'{"error_code":"INVALID_PARAMETER_VALUE","message":"bad name"}', status="400 Bad Request"))
    assert "bad name" in refusal("batch", "--workspace", "team-a")
    assert workspaces() == []


def test_pin_service_second_workspace_that_fails_pins_nothing(stub: Stub, batch: Service) -> None:
    replies = iter([ok(), ok(b"no", status="500 Internal Server Error")])
    stub.script = lambda _: Answer([next(replies)])
    refusal("batch", "--workspace", "team-a", "--workspace", "team-b")
    assert workspaces() == []


def test_pin_service_while_mlflow_is_away_pins_nothing(stub: Stub, batch: Service) -> None:
    with stub.not_listening():
        assert "cannot be reached" in refusal("batch", "--workspace", "team-a")
    assert workspaces() == []


def test_pin_service_without_workspaces_in_mlflow_is_refused(stub: Stub, batch: Service, settings: Any) -> None:
    settings.HOKUSAI_WORKSPACES = False
    assert "HOKUSAI_WORKSPACES" in refusal("batch", "--workspace", "team-a")
    assert stub.seen == []


def test_pin_service_to_none_unpins_and_asks_mlflow_nothing(stub: Stub, batch: Service, actor: Any) -> None:
    actions.pin_service(service=batch, workspaces=["team-a"], actor=actor)
    assert "default workspace" in run("batch")
    assert (workspaces(), stub.seen) == ([], [])


def test_pin_service_unknown_service_is_refused(stub: Stub) -> None:
    assert "Known: platform" in refusal("nobody", "--workspace", "team-a")
    assert stub.seen == []


def test_pin_service_is_in_the_audit_trail(batch: Service, actor: Any) -> None:
    actions.pin_service(service=batch, workspaces=["team-a"], actor=actor)
    event = AuditEvent.objects.get(action="service_pinned")
    assert (event.before, event.after) == ({"workspaces": []}, {"workspaces": ["team-a"]})


@pytest.mark.parametrize("name", ["", "Team", "a_b", "-a", "a-", "a b", "a,b", "x" * 64, "../x", "a\n", "workspaces/x"])
def test_pin_to_a_name_that_is_no_workspace_is_refused(batch: Service, actor: Any, name: str) -> None:
    with pytest.raises(actions.ActionRefusedError):
        actions.pin_service(service=batch, workspaces=["ok", name], actor=actor)
    assert workspaces() == []


def test_pin_service_bad_name_reaches_no_mlflow(stub: Stub, batch: Service) -> None:
    refusal("batch", "--workspace", "Bad_Name")
    assert stub.seen == []
