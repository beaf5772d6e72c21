"""The admin's first page: the state at a glance, each number with the list of just these, and only what one may see."""

import datetime
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.urls import reverse

from apikeys import actions, usage
from apikeys.calls import FinishedCall
from apikeys.models import ApiKey, database_now
from mlflow_proxy.admin import overview
from mlflow_proxy.health import history
from mlflow_proxy.health.answers import Probe
from tests.conftest import PortalClient

INDEX = reverse("admin:index")


@pytest.fixture
def sign_in(db: None) -> Any:
    def as_member(*groups: str, is_superuser: bool = False) -> PortalClient:
        user = User.objects.create(username="-".join(groups) or "boss", is_staff=True, is_superuser=is_superuser)
        user.groups.set(Group.objects.filter(name__in=groups))
        client = PortalClient()
        client.force_login(user)
        return client

    return as_member


def facts_of(client: PortalClient) -> dict[str, Any]:
    """Return what the overview was rendered with."""
    for part in client.get(INDEX).context:
        if "tallies" in part:
            return dict(part.flatten())
    return {}


def tallies_of(client: PortalClient) -> dict[str, int]:
    return {tally.words: tally.count for tally in facts_of(client)["tallies"]}


def test_each_number_leads_to_a_list_of_as_many(sign_in: Any, issue: Any, actor: actions.Actor) -> None:
    boss = sign_in(is_superuser=True)
    keys = {name: issue(name=name).row for name in ("works", "unused", "revoked", "paused", "ends soon", "replaced")}
    ApiKey.objects.filter(name__in=["works", "ends soon", "replaced"]).update(last_used_at=database_now())
    ApiKey.objects.filter(name="ends soon").update(expires_at=database_now() + datetime.timedelta(days=3))
    actions.revoke_key(key=keys["revoked"], reason="lost", actor=actor)
    actions.disable_key(key=keys["paused"], reason="holiday", actor=actor)
    actions.rotate_key(key=keys["replaced"], actor=actor)
    shown = facts_of(boss)["tallies"]
    assert {tally.words: tally.count for tally in shown} == {
        "keys active": 3,
        "keys expiring": 1,
        "keys in grace": 1,
        "keys idle": 0,
        "keys disabled": 1,
        "never used": 2,
    }
    for tally in shown:
        assert boss.get(tally.url).context["cl"].result_count == tally.count


def test_key_issuer_counts_the_keys_of_its_services_alone(sign_in: Any, reader: Any, stranger: Any, batch: Any) -> None:
    client = sign_in("key issuer")
    batch.issuers.add(User.objects.get(username="key issuer"))
    assert tallies_of(client)["keys active"] == 1


def test_account_without_a_group_is_shown_nothing(sign_in: Any, reader: Any) -> None:
    response = sign_in("no such group").get(INDEX)
    assert (response.status_code, b"overview" in response.content) == (200, False)


@pytest.fixture
def checked(db: None) -> Any:
    """Keep a round of storage checks with these failed probes."""

    def keep(*failed: str) -> None:
        row = history.begin("test", 3)
        names = ("database", "mlflow", "artifact_write")
        history.end(row, [Probe(name, "failed" if name in failed else "passed", 1.0) for name in names])

    return keep


def lights_of(client: PortalClient) -> dict[str, tuple[str, str]]:
    return {light.name: (light.light, light.sentence) for light in facts_of(client)["lights"]}


def test_lights_are_green_where_all_answers(sign_in: Any, checked: Any) -> None:
    checked()
    assert {light for light, _ in lights_of(sign_in(is_superuser=True)).values()} == {"green"}


def test_light_is_red_with_the_sentence_behind_it(sign_in: Any, checked: Any) -> None:
    checked("mlflow")
    found = lights_of(sign_in(is_superuser=True))
    assert (found["Database"][0], found["MLflow"][0], found["Artifact storage"][0]) == ("green", "red", "red")
    assert found["MLflow"][1] == overview.GUIDES["mlflow"].failure


def test_lights_are_grey_before_the_first_check(sign_in: Any) -> None:
    assert {light for light, _ in lights_of(sign_in(is_superuser=True)).values()} == {"grey"}


def test_lights_are_hidden_from_whoever_may_not_see_storage_health(sign_in: Any, checked: Any) -> None:
    checked("mlflow")
    assert facts_of(sign_in("key issuer"))["lights"] == []


def test_newest_events_are_those_that_the_account_may_see(sign_in: Any, reader: Any) -> None:
    assert facts_of(sign_in("viewer"))["events"] == []
    assert "Key issued" in [line["what"] for line in facts_of(sign_in("auditor"))["events"]]


def test_what_mlflow_answered_is_no_refusal(sign_in: Any) -> None:
    for reason in ("SCOPE_MISSING", "UPSTREAM_ANSWERED"):
        usage.record_call(FinishedCall("platform", "hk_live_x", "metadata", "GET", 404, reason, 1, 2, 0.02, ""))
    usage.flush()
    assert [line["reason"] for line in facts_of(sign_in(is_superuser=True))["reasons"]] == ["SCOPE_MISSING"]
