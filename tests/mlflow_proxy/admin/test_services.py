"""The screen of services with MLflow's workspaces: made when missing, told when not, absent where MLflow has none."""

import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from apikeys import actions
from apikeys.models import Service
from tests.mlflow_proxy.stub import Stub, ok

pytestmark = pytest.mark.django_db
EXISTS = json.dumps({"error_code": "RESOURCE_ALREADY_EXISTS", "message": "there"}).encode()


@pytest.fixture(autouse=True)
def _workspaces_are_on(settings: Any) -> None:
    settings.HOKUSAI_WORKSPACES = True


@pytest.fixture
def root(portal: Client) -> Client:
    portal.force_login(User.objects.create(username="root", is_staff=True, is_superuser=True))
    return portal


@pytest.fixture
def pinned(batch: Service, actor: actions.Actor) -> Service:
    return actions.pin_service(service=batch, workspaces=["team-a", "team-b"], actor=actor)


def create(client: Client, *services: Service) -> str:
    rows = ",".join(str(service.pk) for service in services)
    address = reverse("admin:apikeys_service_create_workspaces") + f"?rows={rows}"
    return client.post(address, follow=True).content.decode()


def edit(service: Service) -> str:
    return reverse("admin:apikeys_service_change", args=[service.pk])


def test_missing_workspaces_are_created_in_mlflow(root: Client, stub: Stub, pinned: Service) -> None:
    text = create(root, pinned)
    assert [json.loads(seen.body) for seen in stub.seen] == [{"name": "team-a"}, {"name": "team-b"}]
    assert "team-a created, team-b created" in text


def test_workspaces_that_are_there_are_left(root: Client, stub: Stub, pinned: Service) -> None:
    stub.reply(ok(EXISTS, status="400 Bad Request"))
    assert "team-a there already" in create(root, pinned)


def test_mlflow_s_complaint_is_told(root: Client, stub: Stub, pinned: Service) -> None:
    stub.reply(ok(b'{"message":"bad name"}', status="400 Bad Request"))
    assert "bad name" in create(root, pinned)


def test_mlflow_away_is_told(root: Client, stub: Stub, pinned: Service) -> None:
    with stub.not_listening():
        assert "cannot be reached" in create(root, pinned)


def test_service_pinned_to_none_asks_mlflow_nothing(root: Client, stub: Stub, batch: Service) -> None:
    assert "pinned to no workspace" in create(root, batch)
    assert stub.seen == []


def test_workspaces_off_asks_mlflow_nothing(root: Client, stub: Stub, pinned: Service, settings: Any) -> None:
    settings.HOKUSAI_WORKSPACES = False
    assert "without workspaces" in create(root, pinned)
    assert stub.seen == []


def test_page_offers_to_create_for_a_pinned_service(root: Client, pinned: Service, platform: Service) -> None:
    pages = [root.get(reverse("admin:apikeys_service_page", args=[row.pk])) for row in (pinned, platform)]
    assert ["create-workspaces" in page.content.decode() for page in pages] == [True, False]


def test_form_pins_to_the_workspaces_in_their_order(root: Client, batch: Service) -> None:
    form = {"description": "", "owner": "", "contact": "", "pinned_to": "team-b\r\nteam-a"}
    root.post(edit(batch), form)
    assert Service.objects.get(pk=batch.pk).workspaces == ["team-b", "team-a"]


def test_form_refuses_what_is_no_workspace(root: Client, batch: Service) -> None:
    response = root.post(edit(batch), {"description": "", "owner": "", "contact": "", "pinned_to": "Team A"})
    assert "is no workspace name" in response.content.decode()
    assert Service.objects.get(pk=batch.pk).workspaces == []


def test_form_without_workspaces_in_mlflow_leaves_the_pin(root: Client, pinned: Service, settings: Any) -> None:
    settings.HOKUSAI_WORKSPACES = False
    assert "pinned_to" not in root.get(edit(pinned)).content.decode()
    root.post(edit(pinned), {"description": "new", "owner": "", "contact": ""})
    service = Service.objects.get(pk=pinned.pk)
    assert (service.description, service.workspaces) == ("new", ["team-a", "team-b"])
