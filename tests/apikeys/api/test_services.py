"""Services over REST: registered, changed and paused by operators; seen by their own keys."""

import pytest

from apikeys.models import AuditEvent, Service
from tests.apikeys.api.conftest import reason, refused_fields


def test_service_is_registered_with_its_defaults_and_events(operator):
    sent = {"service_id": "night", "owner": "Data", "contact": "data@example.org", "default_scopes": ["model:read"]}
    response = operator.post("/services", sent | {"default_days": 30, "default_rate_limit_per_hour": 100})
    assert response.status_code == 201
    assert response.json() == operator.get("/services/night").json()
    assert (response.json()["default_days"], response.json()["owner"]) == (30, "Data")
    assert AuditEvent.objects.filter(object_id="night").count() == 2


def test_service_of_a_taken_id_is_409(operator, batch):
    response = operator.post("/services", {"service_id": "batch"})
    assert (response.status_code, reason(response)) == (409, "SERVICE_EXISTS")


@pytest.mark.parametrize("service_id", ["", "Batch", "a b", "x" * 64, "a\n", 1, None, "=cmd()"])
def test_service_of_a_bad_id_is_400(operator, service_id):
    assert refused_fields(operator.post("/services", {"service_id": service_id})) == {"service_id"}


def test_service_with_a_default_that_the_caller_may_not_give_is_403_and_not_made(operator):
    response = operator.post("/services", {"service_id": "night", "default_scopes": ["mlflow:admin"]})
    assert (response.status_code, reason(response)) == (403, "GRANT_EXCEEDED")
    assert not Service.objects.filter(service_id="night").exists()


def test_list_is_as_long_as_it_was_sent(operator, batch):
    told = {"default_scopes": ["model:read"] * 50}
    assert operator.patch("/services/batch", told).json()["default_scopes"] == ["model:read"]
    told["default_scopes"].append("model:read")
    assert refused_fields(operator.patch("/services/batch", told)) == {"default_scopes"}


@pytest.mark.parametrize(
    "field", ["is_disabled", "workspaces", "presigned_urls", "created_at", "issuers", "disabled_reason"]
)
def test_service_with_a_field_that_is_not_the_caller_s_is_400(operator, field):
    assert refused_fields(operator.post("/services", {"service_id": "night", field: []})) == {field}


def test_list_is_narrowed_down_and_the_service_key_sees_its_own(operator, keeper):
    operator.patch("/services/batch", {"owner": "Data"})
    assert [row["service_id"] for row in operator.get("/services?owner=Data").json()["results"]] == ["batch"]
    assert [row["service_id"] for row in keeper.get("/services").json()["results"]] == ["batch"]


def test_service_key_sees_its_service_and_does_not_change_it(keeper):
    assert keeper.get("/services/batch").status_code == 200
    assert keeper.patch("/services/batch", {"owner": "me"}).status_code == 403
    assert keeper.post("/services/batch/disable", {"reason": "why"}).status_code == 403
    assert keeper.post("/services", {"service_id": "mine"}).status_code == 403


@pytest.mark.parametrize("verb", ["", "/disable", "/enable"])
def test_foreign_service_is_that_of_nobody(keeper, verb):
    method = "POST" if verb else "GET"
    foreign, unknown = (
        keeper.ask(method, f"/services/{name}{verb}", {"reason": "why"}) for name in ("platform", "nobody")
    )
    assert foreign.status_code == unknown.status_code == 404
    assert foreign.json() | {"request_id": ""} == unknown.json() | {"request_id": ""}


def test_pause_refuses_its_keys_and_ends(operator, keeper):
    assert operator.post("/services/batch/disable", {"reason": "audit"}).json()["is_disabled"]
    assert keeper.get("/keys").status_code == 401
    assert reason(operator.post("/services/batch/disable", {"reason": "audit"})) == "STATE_REFUSED"
    assert not operator.post("/services/batch/enable").json()["is_disabled"]
    assert keeper.get("/keys").status_code == 200
