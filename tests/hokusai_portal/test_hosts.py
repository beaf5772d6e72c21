"""A host of its own for MLflow's interface: few addresses, no admin, and sessions that count there alone."""

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.db import OperationalError

from hokusai_portal import ui_urls, urls
from tests.conftest import PortalClient
from tests.hokusai_portal.conftest import SEARCH

MAIN, UI = "portal.example.org", "ui.example.org"
BROWSER = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
SCRIPT = {"Accept": "*/*", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin"}
WORD = "a long word of somebody"


@pytest.fixture(autouse=True)
def _two_hosts(settings):
    settings.ALLOWED_HOSTS = [MAIN, UI]
    settings.HOKUSAI_PUBLIC_URL = f"http://{MAIN}"
    settings.HOKUSAI_UI_HOST = UI


@pytest.fixture
def root(db):
    return User.objects.create_superuser("root", password=WORD)


def ask(client, host, path, method="GET", headers=BROWSER, **more):
    return client.generic(method, path, HTTP_HOST=host, headers=headers, **more)


def sign_in(client, host, path="/sign-in", **fields):
    return client.post(path, {"username": "root", "password": WORD, **fields}, HTTP_HOST=host)


@pytest.fixture
def on_ui(root):
    client = PortalClient()
    assert sign_in(client, UI).status_code == 302
    return client


@pytest.fixture
def on_main(root):
    client = PortalClient()
    assert sign_in(client, MAIN, "/admin/login/").status_code == 302
    return client


@pytest.mark.parametrize("path", ["/mlflow/", "/mlflow/?a=1", "/mlflow"])
def test_interface_on_the_main_host_leads_to_its_own(portal, db, upstream, path):
    reply = ask(portal, MAIN, path)
    assert (reply.status_code, reply["Location"]) == (302, f"http://{UI}{path}")


@pytest.mark.parametrize("host", [MAIN, UI])
def test_printed_link_leads_to_the_host_of_the_interface(portal, db, host):
    assert ask(portal, host, "/api/mlflow/")["Location"] == f"http://{UI}/mlflow/"


def test_session_of_the_main_host_opens_nothing_of_mlflow_there(on_main, upstream):
    reply = ask(on_main, MAIN, SEARCH, headers=SCRIPT)
    assert reply.status_code == 401
    assert not upstream.log


@pytest.mark.parametrize(
    "path",
    [
        *("/admin/", "/admin/login/", "/admin/auth/user/", "/metrics", "/ready", "/api/health/mlflow"),
        *("/nowhere", "/api/schema/"),
    ],
)
def test_other_page_on_the_host_of_the_interface_is_404(on_ui, path):
    assert ask(on_ui, UI, path).status_code == 404


@pytest.mark.parametrize("path", ["/api/v1/keys", "/api/v1/audit-events", "/api/v1/whoami"])
def test_session_of_the_interface_opens_nothing_of_the_rest_api(on_ui, path):
    assert ask(on_ui, UI, path, headers=SCRIPT).status_code == 401


def test_addresses_of_the_interface_are_a_part_of_all():
    everything = {str(pattern.pattern) for pattern in urls.urlpatterns}
    assert {str(pattern.pattern) for pattern in ui_urls.urlpatterns} < everything


def test_first_page_on_the_host_of_the_interface_is_the_interface(on_ui):
    assert ask(on_ui, UI, "/")["Location"] == "/mlflow/"


def test_interface_is_served_on_its_host(on_ui, mlflow):
    mlflow.expect_request("/mlflow/").respond_with_data("<!doctype html>", content_type="text/html")
    reply = ask(on_ui, UI, "/mlflow/")
    assert b"".join(reply) == b"<!doctype html>"


@pytest.mark.parametrize("host", [MAIN, UI])
def test_key_works_on_both_hosts(portal, mlflow, reader, bearer, host):
    for mount in ("/api/mlflow", "", "/mlflow"):
        reply = ask(portal, host, f"{mount}{SEARCH.removeprefix('/mlflow')}", headers=bearer(reader))
        assert reply.status_code == 200
        b"".join(reply)


@pytest.mark.parametrize("host", [MAIN, UI])
def test_key_is_validated_on_both_hosts(portal, db, host):
    assert ask(portal, host, "/api/v1/keys/validate", "POST", {}).status_code == 401


def test_session_of_the_interface_opens_no_admin(on_ui):
    """The cookie is the host's own: this is somebody who copied it."""
    reply = ask(on_ui, MAIN, "/admin/")
    assert (reply.status_code, reply["Location"]) == (302, "/admin/login/?next=/admin/")
    assert ask(on_ui, MAIN, "/metrics", headers={}).status_code == 401


def test_session_of_the_main_host_opens_no_interface(on_main, upstream):
    assert ask(on_main, UI, SEARCH, headers=SCRIPT).status_code == 401
    assert ask(on_main, UI, "/mlflow/")["Location"] == "/sign-in?next=/mlflow/"
    assert not upstream.log


def test_session_from_before_the_second_host_counts_on_the_main_one(on_main):
    assert ask(on_main, MAIN, "/admin/").status_code == 200


def test_sign_in_with_a_copied_cookie_begins_a_session_of_its_own(on_ui):
    copied = on_ui.session.session_key
    assert sign_in(on_ui, MAIN, "/admin/login/").status_code == 302
    assert on_ui.session.session_key != copied
    assert ask(on_ui, MAIN, "/admin/").status_code == 200


def test_host_is_known_in_any_case(on_ui):
    assert ask(on_ui, UI.upper(), "/admin/").status_code == 404


def test_foreign_host_is_400(portal, db):
    assert ask(portal, "evil.example", "/mlflow/").status_code == 400


def test_database_that_is_gone_is_503_and_no_ended_session(on_ui, monkeypatch):
    def gone(self):
        raise OperationalError("planted address")

    monkeypatch.setattr(SessionStore, "load", gone)
    reply = ask(on_ui, UI, SEARCH, headers=SCRIPT)
    assert (reply.status_code, reply.json()["reason"]) == (503, "DATABASE_UNAVAILABLE")
    assert b"planted" not in reply.content
