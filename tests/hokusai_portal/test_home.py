"""The first page for somebody who may browse MLflow: its models with links, whatever MLflow answers."""

import json

import pytest
from django.contrib.auth.models import Permission, User

from mlflow_proxy.ui import registered

SEARCH = "/mlflow/api/2.0/mlflow/registered-models/search"
MODELS = [
    {
        "name": "churn",
        "latest_versions": [{"version": "9", "current_stage": "Staging"}, {"version": "10", "current_stage": "None"}],
        "aliases": [{"alias": "champion", "version": "9"}],
    },
    {"name": "a/b <i>", "description": "no version"},
]


@pytest.fixture
def viewer(portal, db):
    user = User.objects.create(username="viewer", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_mlflow_ui"))
    portal.force_login(user)
    return portal


def home(client):
    response = client.get("/")
    assert response.status_code == 200
    return response.content.decode()


def test_models_are_listed_with_links(viewer, upstream):
    upstream.expect_request(SEARCH).respond_with_json({"registered_models": MODELS})
    text = home(viewer)
    for link in ("#/models/churn", "#/models/churn/versions/10", "#/models/churn/versions/9"):
        assert f'href="/mlflow/{link}"' in text
    assert "champion" in text
    assert "none yet" in text


def test_names_are_escaped(viewer, upstream):
    upstream.expect_request(SEARCH).respond_with_json({"registered_models": MODELS})
    text = home(viewer)
    assert "a/b &lt;i&gt;" in text
    assert 'href="/mlflow/#/models/a%2Fb%20%3Ci%3E"' in text


def test_mlflow_is_asked_once_and_for_a_bounded_number(viewer, upstream):
    upstream.expect_request(SEARCH).respond_with_json({"registered_models": MODELS})
    home(viewer)
    (call,) = [request for request, _ in upstream.log]
    assert call.args["max_results"] == str(registered.MAXIMUM_MODELS)
    assert "Cookie" not in call.headers
    assert call.headers["X-Hokusai-Portal"] == "1"


def test_links_lead_to_the_host_of_the_interface(viewer, upstream, settings):
    settings.HOKUSAI_PUBLIC_URL, settings.HOKUSAI_UI_HOST = "https://testserver", "ui.example.org"
    upstream.expect_request(SEARCH).respond_with_json({"registered_models": MODELS})
    assert 'href="https://ui.example.org/mlflow/#/models/churn"' in home(viewer)


def test_no_models_is_said_plainly(viewer, upstream):
    upstream.expect_request(SEARCH).respond_with_json({})
    assert "No model is registered yet." in home(viewer)


def test_mlflow_that_is_down_is_said_plainly(viewer, mlflow_down):
    assert "MLflow does not answer just now." in home(viewer)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("<html>", 200),
        ("[]", 200),
        ("null", 200),
        ('{"registered_models": 1}', 200),
        ('{"registered_models": [{"name": "m", "latest_versions": [{"version": "x"}]}]}', 200),
        ('{"registered_models": [{}]}', 200),
        ('{"registered_models": [1]}', 200),
        ("{}", 500),
        (json.dumps({"registered_models": [{"name": "m" * registered.MAXIMUM_BYTES}]}), 200),
    ],
)
def test_answer_that_is_no_list_is_said_plainly(viewer, upstream, body, status):
    upstream.expect_request(SEARCH).respond_with_data(body, status=status)
    assert "MLflow does not answer just now." in home(viewer)


def test_page_of_somebody_is_not_kept(viewer, upstream):
    assert viewer.get("/")["Cache-Control"] == "private, no-store"


def test_staff_without_the_right_see_no_models(portal, upstream, db):
    portal.force_login(User.objects.create(username="bob", is_staff=True))
    assert "Registered models" not in home(portal)
    assert not upstream.log


def test_stranger_sees_no_models(portal, upstream, db):
    assert "Registered models" not in home(portal)
    assert not upstream.log


def test_signed_in_account_can_sign_out(viewer, upstream):
    text = home(viewer)
    assert "Signed in as viewer" in text
    assert 'action="/sign-out"' in text
