"""CORS: a listed origin gets its headers on every reply, errors included; others get none; MLflow is never asked."""

import pytest

from apikeys import sunsets

LISTED = "https://app.example.org"
PATHS = ["/api/mlflow/api/2.0/mlflow/runs/create", "/mlflow/api/2.0/mlflow/runs/create", "/api/2.0/mlflow/runs/create"]


def preflight(portal, path, origin, **headers):
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST", **headers}
    return portal.options(path, headers=asked)


@pytest.mark.parametrize("path", [*PATHS, "/api/v1/keys/validate"])
def test_preflight_of_a_listed_origin_is_answered_here(portal, upstream, path):
    response = preflight(portal, path, LISTED)
    assert response.status_code == 200
    assert response["Access-Control-Allow-Origin"] == LISTED
    assert not upstream.log


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "https://app.example.org.evil.example", "http://app.example.org"]
)
def test_preflight_of_another_origin_allows_nothing(portal, upstream, path, origin):
    response = preflight(portal, path, origin)
    assert not [name for name in response.headers if name.startswith("Access-Control-Allow")]
    assert not upstream.log


@pytest.mark.parametrize("header", ["authorization", "x-api-key", "content-type", "x-mlflow-client-version"])
def test_preflight_allows_what_a_client_sends(portal, header):
    assert header in preflight(portal, PATHS[0], LISTED)["Access-Control-Allow-Headers"]


@pytest.mark.parametrize("origin", [LISTED, "https://evil.example"])
def test_preflight_never_allows_cookies(portal, origin):
    assert "Access-Control-Allow-Credentials" not in preflight(portal, PATHS[0], origin)


def test_options_without_preflight_needs_a_key(portal, db, upstream):
    assert portal.options(PATHS[0], headers={"Origin": LISTED}).status_code == 401
    assert not upstream.log


@pytest.mark.parametrize("path", [*PATHS, "/api/v1/keys/validate"])
def test_refusal_401_can_be_read_by_a_listed_origin(portal, db, path):
    response = portal.post(path, {}, content_type="application/json", headers={"Origin": LISTED})
    assert response.status_code == 401
    assert response["Access-Control-Allow-Origin"] == LISTED
    assert "WWW-Authenticate" in response["Access-Control-Expose-Headers"]


@pytest.mark.parametrize("path", PATHS)
def test_refusal_401_of_another_origin_allows_nothing(portal, db, path):
    response = portal.post(path, headers={"Origin": "https://evil.example"})
    assert response.status_code == 401
    assert "Access-Control-Allow-Origin" not in response


@pytest.mark.parametrize("expected", ["X-Request-ID", "Retry-After", "WWW-Authenticate", *sunsets.NAMES])
def test_upstream_down_503_can_be_read_by_a_listed_origin(portal, mlflow_down, writer, bearer, expected):
    headers = {"Origin": LISTED, **bearer(writer)}
    response = portal.post(PATHS[0], {}, content_type="application/json", headers=headers)
    assert response.status_code == 503
    assert response["Access-Control-Allow-Origin"] == LISTED
    assert expected in response["Access-Control-Expose-Headers"]


def test_success_can_be_read_by_a_listed_origin(portal, upstream, writer, bearer):
    upstream.expect_request("/mlflow/api/2.0/mlflow/runs/create").respond_with_json({"run": {}})
    headers = {"Origin": LISTED, **bearer(writer)}
    response = portal.post(PATHS[0], {}, content_type="application/json", headers=headers)
    assert response.status_code == 200
    assert response["Access-Control-Allow-Origin"] == LISTED


def test_success_mlflows_own_cors_words_are_dropped(portal, upstream, writer, bearer):
    upstream.expect_request("/mlflow/api/2.0/mlflow/runs/create").respond_with_json(
        {}, headers={"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Credentials": "true"}
    )
    response = portal.post(PATHS[0], {}, content_type="application/json", headers=bearer(writer))
    assert not [name for name in response.headers if name.startswith("Access-Control")]


@pytest.mark.parametrize("path", ["/", "/health", "/ready", "/admin/login/"])
def test_pages_for_people_carry_no_cors(portal, db, mlflow, path):
    assert "Access-Control-Allow-Origin" not in portal.get(path, headers={"Origin": LISTED})
