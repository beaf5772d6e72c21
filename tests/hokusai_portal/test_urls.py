"""Addresses: whatever is mounted refuses a stranger, unless it stands on the exact list of what is public."""

import re

import pytest
from django.urls import URLPattern, get_resolver, reverse

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
# What a stranger may see, by the route as it is written; everything else is 401, and the admin a login.
PUBLIC = {"", "health", "live", "ready", "api/health/mlflow", "api/docs/errors"}
LOGIN = {"admin/login/", "sign-in", "sign-out"}
# Where a session of staff serves; tests/mlflow_proxy/ui says what, and to whom.
INTERFACE = {"mlflow", "mlflow/", r"^mlflow/(?P<rest>[\s\S]+)$"}
REST = ("api/v1/", "api/schema", "api/docs")
OF_KEYS_ALONE = {"api/v1/^keys/validate/?$", "api/v1/^leaks/?$"}


def routes(patterns, prefix=""):
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLPattern):
            yield route
        else:
            yield from routes(pattern.url_patterns, route)


def example(route):
    """Return a path that the route matches: every parameter filled, every alternative taken."""
    path = re.sub(r"\(\?s\)|[\^$]|/\?$|\(\?:-artifacts\)\?", "", route.removesuffix("$"))
    path = path.replace("[23]", "2").replace("\\.", ".")
    path = re.sub(r"\(\?P<\w+>((?:api|auth|mlflow)[^)|]*)[^)]*\)", r"\1", path)
    path = re.sub(r"\(\?P<\w+>[^)]*\)|<[^>]+>", "1", path)
    return "/" + re.sub(r"(\[\\s\\S\]|\.)\+", "x", path)


ROUTES = sorted(set(routes(get_resolver().url_patterns)))
GUARDED = [route for route in ROUTES if route not in PUBLIC | LOGIN and not route.startswith("admin/")]
ADMIN = [route for route in ROUTES if route.startswith("admin/") and route not in LOGIN]


def test_anonymous_everywhere_public_list_is_exact():
    assert set(ROUTES) >= PUBLIC | LOGIN
    assert len(GUARDED) >= 8


@pytest.mark.parametrize("route", ROUTES)
def test_anonymous_everywhere_example_reaches_its_route(route):
    assert get_resolver().resolve(example(route)).route == route.replace("/^", "/")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("route", GUARDED)
def test_anonymous_everywhere_is_401(portal, db, upstream, route, method):
    response = portal.generic(method, example(route))
    assert response.status_code == 401
    assert response["WWW-Authenticate"] == "Bearer"
    assert "no-store" in response["Cache-Control"]
    assert "Set-Cookie" not in response
    assert not upstream.log


@pytest.mark.parametrize("route", [route for route in GUARDED if route not in INTERFACE])
def test_anonymous_everywhere_session_of_staff_alone_writes_nothing(staff, upstream, route):
    staff.handler.enforce_csrf_checks = True
    # The REST API is for staff too, with a token that another site's page cannot have.
    expected = 403 if route.lstrip("^").startswith(REST) and route not in OF_KEYS_ALONE else 401
    assert staff.generic("POST", example(route)).status_code == expected
    assert not upstream.log


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("route", ADMIN)
def test_anonymous_everywhere_admin_leads_to_its_login(portal, db, route, method):
    response = portal.generic(method, example(route))
    assert response.status_code == 302
    assert response["Location"].startswith(("/admin/login/", "/admin/"))


@pytest.mark.parametrize("method", METHODS[2:])
@pytest.mark.parametrize("route", sorted(PUBLIC))
def test_anonymous_everywhere_public_pages_are_read_alone(portal, db, route, method):
    assert portal.generic(method, f"/{route}").status_code == 405


@pytest.mark.parametrize("path", ["/.git/config", "/api", "/api/", "/api/v2/keys", "/mlflowx"])
def test_address_outside_every_mount_is_a_cheap_404(portal, path, django_assert_num_queries, db):
    with django_assert_num_queries(0):
        response = portal.get(path)
    assert response.status_code == 404
    assert response.json()["error_code"] == "ENDPOINT_NOT_FOUND"


@pytest.mark.parametrize("path", ["/api/mlflow/a%0Ab", "/mlflow/a%0A", "/api/2.0/mlflow/a%0Ab"])
def test_address_with_a_line_feed_is_refused_and_not_lost(portal, db, path):
    assert portal.get(path).status_code == 401


@pytest.mark.parametrize("mount", ["/api/mlflow", "/api/mlflow/", "/mlflow", "/mlflow/"])
def test_mount_leads_a_browser_to_the_interface_without_asking_mlflow(
    portal, upstream, mount, django_assert_num_queries, db
):
    with django_assert_num_queries(0):
        response = portal.get(mount, headers={"Accept": "text/html"})
    assert response.status_code == 302
    assert response["Location"] in {"/mlflow/", "/sign-in?next=/mlflow/"}
    assert not upstream.log


def test_names_can_be_reversed():
    names = ("home", "health", "live", "ready", "mlflow-health", "metrics", "sign-in", "sign-out", "mlflow-ui")
    assert [reverse(name) for name in names] == [
        *("/", "/health", "/live", "/ready", "/api/health/mlflow", "/metrics", "/sign-in", "/sign-out", "/mlflow/")
    ]
