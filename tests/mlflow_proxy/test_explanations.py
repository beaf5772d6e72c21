"""Explanations: what is told of a call is what happens to it, and telling leaves no trace."""

import pytest
from django.http import HttpResponse

from apikeys import actions, usage
from apikeys.models import ApiKey
from mlflow_proxy.explanations import NotProxiedError, explain
from mlflow_proxy.views import MlflowProxyView

pytestmark = pytest.mark.django_db

SEARCH = "/api/mlflow/api/2.0/mlflow/experiments/search"
CREATE = "/api/mlflow/api/2.0/mlflow/experiments/create"
FILE = "/api/mlflow/api/2.0/mlflow-artifacts/artifacts/0/run/artifacts/a"
CALLS = [
    *(("GET", SEARCH), ("POST", CREATE), ("POST", "/mlflow/api/2.0/mlflow/experiments/create")),
    *(("GET", "/api/2.0/mlflow/experiments/search"), ("PUT", FILE), ("HEAD", FILE), ("TRACE", SEARCH)),
    *(("GET", f"{SEARCH}/../../x"), ("GET", f"{SEARCH}?api_key=x"), ("GET", "/api/mlflow"), ("GET", "/nowhere")),
    *(
        ("GET", "/api/mlflow/%61pi/2.0/mlflow/experiments/search"),
        ("GET", "/api/%6dlflow/health"),
        ("POST", "/mlflow/"),
    ),
    *(("GET", "/api/mlflow/api/2.0/mlflow/experiments/list"), ("GET", "/api/mlflow/api/3.0/mlflow/workspaces")),
    *(("DELETE", FILE), ("PUT", "/api/mlflow/api/2.0/mlflow-artifacts/artifacts/0"), ("GET", f"{SEARCH}?a=1&a=2")),
    *(
        ("GET", f"{FILE}/%C3%BC"),
        ("GET", f"{FILE}/%C3"),
        ("GET", "/api/mlflow/version"),
    ),
]


@pytest.fixture
def explained():
    """Explain a call for an issued key, read anew as a real call would read it."""

    def ask(issued, method, path, **more):
        row = ApiKey.objects.with_validity().get(pk=issued.row.pk)
        return explain(row, method, path, **more)

    return ask


@pytest.fixture
def arrival(monkeypatch):
    """Let the journey of real calls end where it would begin."""

    def arrive(view, request, **_):
        view.refuse_switched_off()
        return HttpResponse(headers={"X-Arrived": "yes"})

    for name in MlflowProxyView.http_method_names:
        monkeypatch.setattr(MlflowProxyView, name, arrive)


@pytest.mark.parametrize(("method", "path"), CALLS)
@pytest.mark.parametrize("who", ["reader", "writer"])
def test_explanation_is_what_happens_to_a_real_call(request, portal, bearer, explained, arrival, method, path, who):
    issued = request.getfixturevalue(who)
    reply, told = portal.generic(method, path, headers=bearer(issued)), explained(issued, method, path)
    if "X-Arrived" in reply:
        assert (told.is_allowed, told.status, told.reason) == (True, None, "")
    else:
        document = reply.json()
        assert (told.is_allowed, told.status) == (False, reply.status_code)
        assert (told.reason, told.detail) == (document["reason"], document["message"])


def test_explanation_names_the_scope_and_the_word_that_opens_it(writer, explained):
    told = explained(writer, "get", SEARCH)
    assert (told.required_scope, told.granted_by, told.resource) == ("mlflow:read", ("mlflow:write",), "experiment")
    assert told.operation == "GET 2.0/mlflow/experiments/search"


def test_explanation_of_a_missing_scope_names_what_is_held(reader, explained):
    told = explained(reader, "POST", CREATE)
    assert (told.reason, told.required_scope, told.granted_by) == ("SCOPE_MISSING", "mlflow:write", ())
    assert "mlflow:read" in told.held_scopes


def test_explanation_of_a_route_for_any_key_needs_no_scope(reader, explained):
    told = explained(reader, "GET", "/api/mlflow/version")
    assert (told.is_allowed, told.required_scope, told.granted_by) == (True, None, ())


def test_explanation_of_an_ended_key_tells_the_precise_reason(reader, explained, actor):
    actions.revoke_key(key=reader.row, reason="lost", actor=actor)
    told = explained(reader, "GET", SEARCH)
    assert (told.status, told.reason) == (401, "KEY_REVOKED")


@pytest.mark.parametrize(("address", "status"), [("192.0.2.9", None), ("198.51.100.1", 403)])
def test_explanation_judges_the_address_it_is_given(issue, explained, address, status):
    assert explained(issue(allowed_ips=["192.0.2.0/24"]), "GET", SEARCH, address=address).status == status


def test_explanation_without_address_says_that_it_is_not_judged(issue, reader, explained):
    told = explained(issue(allowed_ips=["192.0.2.0/24"]), "GET", SEARCH)
    assert (told.is_allowed, told.not_judged) == (True, ("address", "rate", "body"))
    assert explained(reader, "GET", SEARCH).not_judged == ("rate", "body")


def test_explanation_knows_that_artifacts_are_switched_off(reader, explained, settings):
    settings.MLFLOW_SERVE_ARTIFACTS = False
    assert explained(reader, "GET", FILE).reason == "ARTIFACTS_DISABLED"


def test_explanation_names_the_workspace_acted_in(reader, explained, actor, settings):
    settings.HOKUSAI_WORKSPACES = True
    actions.pin_service(service=reader.row.service, workspaces=["team-a"], actor=actor)
    assert explained(reader, "GET", SEARCH).workspace == "team-a"
    foreign = "/api/mlflow/api/2.0/mlflow-artifacts/artifacts/workspaces/team-b/0/run/artifacts/a"
    assert explained(reader, "GET", foreign).reason == "AMBIGUOUS_PATH"


@pytest.mark.parametrize("path", ["/health", "/admin/", "/api/v1/keys/validate"])
def test_explanation_of_the_portals_own_page_is_refused(reader, explained, path):
    with pytest.raises(NotProxiedError):
        explained(reader, "GET", path)


def test_explanation_leaves_no_trace(reader, django_assert_num_queries):
    row = ApiKey.objects.with_validity().get(pk=reader.row.pk)
    with django_assert_num_queries(0):
        explain(row, "GET", SEARCH)
    assert not usage._pending
