"""The page of storage health: for staff with the permission, from the database alone, under the strict policy."""

import re

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from mlflow_proxy import metrics, upstream
from mlflow_proxy.artifacts import stores
from mlflow_proxy.health import history, monitor, subjects
from mlflow_proxy.health.answers import Probe
from mlflow_proxy.models import StorageCheck

pytestmark = pytest.mark.django_db

PAGE = "/admin/storage-health/"
ADDRESSES = [PAGE, f"{PAGE}progress", f"{PAGE}diagnostics.txt"]
HOSTILE = '"><script>alert(1)</script>'


def account(*permissions, is_staff=True):
    user = User.objects.create(username="alice", is_staff=is_staff)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return user


@pytest.fixture
def viewer(portal):
    portal.force_login(account("view_storagecheck"))
    return portal


@pytest.fixture
def begun(monkeypatch):
    """Who asked for a check; none is made."""
    asked = []
    monkeypatch.setattr(monitor, "check_aside", asked.append)
    return asked


@pytest.fixture
def checked():
    row = history.begin("worker", 3)
    probes = [
        Probe("database", "passed", 1.2),
        Probe("mlflow", "failed", 3.4, reason="UPSTREAM_REFUSED", detail=HOSTILE, hint="Nothing listens there."),
        Probe("bucket_public_access", "unknown", 5.6, reason="STORE_UNSUPPORTED", hint="The store does not know this."),
    ]
    history.end(row, probes)
    return row


@pytest.mark.parametrize("address", ADDRESSES)
def test_stranger_is_sent_to_the_login(portal, address):
    response = portal.get(address)
    assert response.status_code == 302
    assert response.url.startswith("/admin/login/")


@pytest.mark.parametrize("address", ADDRESSES)
def test_account_that_is_no_staff_is_sent_to_the_login(portal, address):
    portal.force_login(account("view_storagecheck", is_staff=False))
    assert portal.get(address).status_code == 302


@pytest.mark.parametrize("address", ADDRESSES)
def test_staff_without_the_permission_is_refused(portal, address):
    portal.force_login(account())
    assert portal.get(address).status_code == 403


@pytest.mark.parametrize("address", ADDRESSES)
def test_staff_with_the_permission_sees_it(viewer, address):
    response = viewer.get(address)
    assert response.status_code == 200
    assert "no-cache" in response["Cache-Control"]


def test_check_without_the_permission_is_refused(portal, begun):
    portal.force_login(account())
    assert portal.post(f"{PAGE}check").status_code == 403
    assert begun == []


def test_check_is_begun_in_the_name_of_who_asked(viewer, begun):
    response = viewer.post(f"{PAGE}check")
    assert (response.status_code, response.url) == (302, PAGE)
    assert begun == ["page: alice"]


def test_check_while_one_runs_begins_no_other(viewer, begun):
    history.begin("worker", 3)
    assert viewer.post(f"{PAGE}check").status_code == 302
    assert begun == []


def test_check_is_not_begun_by_a_link(viewer, begun):
    assert viewer.get(f"{PAGE}check").status_code == 405
    assert begun == []


def test_check_is_not_begun_by_another_site(begun):
    client = Client(enforce_csrf_checks=True, headers={"Host": "testserver"})
    client.force_login(account("view_storagecheck"))
    assert client.post(f"{PAGE}check").status_code == 403
    assert begun == []


def test_page_lets_its_own_form_tell_where_it_comes_from(viewer):
    assert viewer.get(PAGE)["Referrer-Policy"] == "same-origin"


def test_page_shows_light_sentence_cure_and_every_probe(viewer, checked):
    text = viewer.get(PAGE).content.decode()
    for part in (
        "MLflow does not answer as it should.",
        "Nothing listens there.",
        "UPSTREAM_REFUSED",
        "MLflow&#x27;s API answers under",
        "The store does not know this.",
        "asked by worker",
        "3 ms",
    ):
        assert part in text
    assert len(re.findall(r'class="health-status"', text)) == 3


def test_page_escapes_what_servers_say(viewer, checked):
    assert HOSTILE not in viewer.get(PAGE).content.decode()


def test_page_before_any_check_says_so(viewer):
    assert "Nothing has been checked yet" in viewer.get(PAGE).content.decode()


def test_page_asks_no_dependency(viewer, checked, forbid):
    forbid(subjects, "ask_all")
    forbid(upstream, "send")
    forbid(stores, "current", "hurried")
    for address in ADDRESSES:
        assert viewer.get(address).status_code == 200


def test_page_needs_few_queries(viewer, checked, django_assert_max_num_queries):
    with django_assert_max_num_queries(14):
        viewer.get(PAGE)


def test_page_keeps_to_the_policy(viewer, checked):
    response = viewer.get(PAGE)
    text = response.content.decode()
    assert "script-src 'self'" in response["Content-Security-Policy"]
    assert re.findall(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=", text) == []


def test_page_names_its_own_script_and_style(viewer):
    text = viewer.get(PAGE).content.decode()
    assert re.search(r'<script src="[^"]*hokusai_portal/health\.js" defer', text)
    assert "hokusai_portal/health.css" in text


def test_page_while_a_check_runs_shows_how_far_and_reloads_without_script(viewer):
    row = history.begin("page: bob", 24)
    history.note(row, [Probe("database", "passed", 1.0)])
    text = viewer.get(PAGE).content.decode()
    assert '<noscript><meta http-equiv="refresh"' in text
    assert "data-running" in text
    assert re.search(r"Checking: <span data-answered>1</span> of 24", text)
    assert viewer.get(f"{PAGE}progress").json() == {"running": True, "answered": 1, "expected": 24}


def test_page_after_a_check_does_not_reload(viewer, checked):
    text = viewer.get(PAGE).content.decode()
    assert "http-equiv" not in text
    assert "data-running" not in text
    assert viewer.get(f"{PAGE}progress").json() == {"running": False, "answered": 0, "expected": 0}


def test_diagnostics_are_plain_text(viewer, checked):
    response = viewer.get(f"{PAGE}diagnostics.txt")
    assert response["Content-Type"] == "text/plain; charset=utf-8"
    assert "failed  mlflow" in response.content.decode()


def test_index_of_the_admin_leads_to_the_page(viewer):
    assert "/admin/mlflow_proxy/storagecheck/" in viewer.get("/admin/").content.decode()
    assert viewer.get("/admin/mlflow_proxy/storagecheck/").url == PAGE


@pytest.mark.parametrize("address", ["add/", "1/change/", "1/delete/"])
def test_rows_of_checks_cannot_be_changed(portal, checked, address):
    portal.force_login(User.objects.create(username="root", is_staff=True, is_superuser=True))
    StorageCheck.objects.filter(pk=checked.pk).update(id=1)
    response = portal.post(f"/admin/mlflow_proxy/storagecheck/{address}", {})
    assert response.status_code == 403


def test_page_and_diagnostics_say_which_breaker_is_open(viewer, monkeypatch):
    monkeypatch.setattr(metrics, "open_breakers", lambda: {("mlflow", "transfer"): 2})
    told = "open: mlflow transfer in 2 of the workers"
    assert f"<strong>{told}</strong>" in viewer.get(PAGE).content.decode()
    assert f"Breakers: {told}" in viewer.get(f"{PAGE}diagnostics.txt").content.decode()


def test_page_says_that_no_breaker_is_open(viewer, monkeypatch):
    monkeypatch.setattr(metrics, "open_breakers", dict)
    assert "<strong>closed</strong>" in viewer.get(PAGE).content.decode()
