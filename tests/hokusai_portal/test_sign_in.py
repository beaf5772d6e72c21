"""Signing in to browse MLflow, and out again: for staff, back to where one came from and nowhere else."""

import pytest
from django.contrib.auth.models import User

from apikeys.models import AuditEvent

WORD = "a long word of somebody"


@pytest.fixture
def alice(db):
    return User.objects.create_user("alice", password=WORD, is_staff=True)


def sign_in(portal, next_page="/mlflow/", name="alice", word=WORD):
    return portal.post("/sign-in", {"username": name, "password": word, "next": next_page})


def test_sign_in_leads_back(portal, alice):
    assert sign_in(portal, "/mlflow/?a=1")["Location"] == "/mlflow/?a=1"


@pytest.mark.parametrize(
    "next_page",
    ["//evil.example", "https://evil.example/mlflow/", "/\\evil.example", "javascript:alert(1)", "http:///evil", ""],
)
def test_sign_in_leads_nowhere_else(portal, alice, next_page):
    assert sign_in(portal, next_page)["Location"] == "/"


@pytest.mark.parametrize("change", [{"is_staff": False}, {"is_active": False}])
def test_sign_in_is_for_staff(portal, alice, change):
    User.objects.filter(pk=alice.pk).update(**change)
    assert sign_in(portal).status_code == 200
    assert "_auth_user_id" not in portal.session


def test_wrong_word_reads_like_a_wrong_name(portal, alice):
    said = [sign_in(portal, **wrong).context["form"].errors for wrong in ({"word": "no"}, {"name": "bob"})]
    assert said[0] == said[1] != {}


def test_form_names_no_address(portal, db):
    """Then the browser takes the page's own, with what stands behind #, and the redirect keeps that."""
    text = portal.get("/sign-in?next=/mlflow/").content.decode()
    assert "action=" not in text
    assert 'name="next" value="/mlflow/"' in text


def test_form_of_another_page_is_refused(portal, alice):
    portal.handler.enforce_csrf_checks = True
    assert sign_in(portal).status_code == 403
    assert "_auth_user_id" not in portal.session


def test_sign_in_begins_a_new_session(portal, alice):
    portal.session["planted"] = 1
    before = portal.session.session_key
    sign_in(portal)
    assert portal.session.session_key != before


def test_sign_in_is_written_down(portal, alice):
    sign_in(portal)
    event = AuditEvent.objects.first()
    assert (event.action, event.actor) == ("staff_signed_in", "alice")


def test_sign_in_has_the_pace_of_the_admin(portal, alice):
    for _ in range(5):
        assert sign_in(portal, word="no").status_code == 200
    reply = sign_in(portal)
    assert reply.status_code == 429
    assert int(reply["Retry-After"]) > 0
    assert "_auth_user_id" not in portal.session
    assert portal.post("/admin/login/", {"username": "alice", "password": WORD}).status_code == 429


def test_sign_out_ends_the_session(portal, alice):
    sign_in(portal)
    assert portal.post("/sign-out")["Location"] == "/sign-in"
    assert "_auth_user_id" not in portal.session


def test_sign_out_by_a_link_does_nothing(portal, alice):
    sign_in(portal)
    assert portal.get("/sign-out").status_code == 405
    assert "_auth_user_id" in portal.session


def test_page_tells_other_sites_nothing(portal, db):
    assert portal.get("/sign-in")["Referrer-Policy"] == "same-origin"
