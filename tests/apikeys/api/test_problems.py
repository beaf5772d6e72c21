"""Every problem of the REST API is brought about here, and has the form that is promised."""

import pytest
from django.db import OperationalError

from apikeys import actions, authentication
from apikeys.api.meanings import MEANINGS
from apikeys.models import ApiKey
from tests.apikeys.api.conftest import Caller
from tests.apikeys.conftest import forge

DRAFT = {"name": "ci", "scopes": ["mlflow:read"]}
PRODUCERS = {}


def produces(function):
    PRODUCERS[function.__name__.upper()] = function
    return function


class Ground:
    """Who and what a problem needs."""

    def __init__(self, caller, issue, actor, monkeypatch, settings):
        self.caller, self.issue, self.actor = caller, issue, actor
        self.monkeypatch, self.settings = monkeypatch, settings
        self.operator = caller("operator")
        self.key = issue(name="in question", words=["mlflow:read"])
        self.path = f"/keys/{self.key.row.public_id}"


@produces
def parse_error(ground):
    return ground.operator.client.post(
        "/api/v1/keys", "{", content_type="application/json", headers=ground.operator.headers
    )


@produces
def field_refused(ground):
    return ground.operator.get("/keys?x=1")


@produces
def unauthenticated(ground):
    return Caller().get("/keys")


@produces
def scope_missing(ground):
    return ground.caller("reader").get("/keys")


@produces
def address_refused(ground):
    return ground.caller("operator", allowed_ips=["192.0.2.1"]).get("/keys")


@produces
def service_mismatch(ground):
    return ground.operator.post("/keys/validate", {"service_id": "other"})


@produces
def grant_exceeded(ground):
    return ground.operator.post("/keys", DRAFT | {"scopes": ["model:delete"]})


@produces
def csrf_failed(ground):
    staff = ground.caller("administrator", "")
    staff.client.handler.enforce_csrf_checks = True
    return staff.post("/keys", DRAFT)


@produces
def permission_denied(ground):
    return ground.caller("viewer", "").post("/services", {"service_id": "new"})


@produces
def not_found(ground):
    return ground.operator.get("/keys/nobody")


@produces
def method_not_allowed(ground):
    return ground.operator.ask("DELETE", "/keys")


@produces
def not_acceptable(ground):
    return ground.operator.get("/keys", Accept="image/png")


@produces
def already_issued(ground):
    return [ground.operator.post("/keys", DRAFT, Idempotency_Key="once") for _ in range(2)][-1]


@produces
def already_rotated(ground):
    return [ground.operator.post(f"{ground.path}/rotate") for _ in range(2)][-1]


@produces
def already_revoked(ground):
    return [ground.operator.post(f"{ground.path}/revoke", {"reason": "why"}) for _ in range(2)][-1]


@produces
def service_exists(ground):
    return ground.operator.post("/services", {"service_id": "platform"})


@produces
def state_refused(ground):
    return ground.operator.post(f"{ground.path}/enable")


@produces
def precondition_failed(ground):
    return ground.operator.patch(ground.path, {"note": "x"}, etag='"other"')


@produces
def precondition_required(ground):
    return ground.operator.patch(ground.path, {"note": "x"}, etag=None)


@produces
def body_too_large(ground):
    return ground.operator.post("/keys", DRAFT | {"note": "x" * 1024**2})


@produces
def unsupported_media_type(ground):
    return ground.operator.client.post("/api/v1/keys", {"name": "ci"}, headers=ground.operator.headers)


@produces
def pepper_missing(ground):
    ApiKey.objects.filter(pk=ground.operator.issued.row.pk).update(pepper_number=9)
    return ground.operator.get("/keys")


@produces
def rate_exceeded(ground):
    bound = ground.caller("operator", rate_limit_per_hour=10)
    return [bound.get("/whoami") for _ in range(11)][-1]


@produces
def concurrency_exceeded(ground):
    ground.settings.HOKUSAI_KEY_CONCURRENCY = 0
    return ground.operator.get("/keys")


@produces
def too_many_failures(ground):
    guess = forge(ground.key.row.public_id).text
    return [Caller().get("/keys", Authorization=f"Bearer {guess}") for _ in range(21)][-1]


@produces
def database_unavailable(ground):
    def fail(*_):
        raise OperationalError

    ground.monkeypatch.setattr(authentication.Claim, "verify", fail)
    return ground.operator.get("/keys")


@pytest.fixture
def ground(caller, issue, actor, monkeypatch, settings):
    return Ground(caller, issue, actor, monkeypatch, settings)


def test_every_problem_is_brought_about():
    assert PRODUCERS.keys() == MEANINGS.keys()


@pytest.mark.parametrize("reason", MEANINGS)
def test_problem_has_its_form(ground, reason):
    response = PRODUCERS[reason](ground)
    document = response.json()
    assert response["Content-Type"] == "application/problem+json"
    assert (document["status"], document["title"]) == MEANINGS[reason]
    assert (document["status"], document["reason"]) == (response.status_code, reason)
    assert document["type"].endswith(f"/api/docs/errors#{reason}")
    assert document["request_id"] == response["X-Request-ID"]
    assert document["detail"]
    assert "no-store" in response["Cache-Control"]


def test_problem_of_a_disabled_service_says_what_to_do(operator, batch, actor):
    actions.disable_service(service=batch, reason="audit", actor=actor)
    detail = operator.post("/keys", DRAFT | {"service_id": "batch"}).json()["detail"]
    assert detail == "Service batch is disabled: enable it before issuing keys."
