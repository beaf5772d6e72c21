"""Signing in to the admin: paced before a password is hashed, the same for every name, and written down."""

import re

import pytest
import redis
from django.contrib.auth import hashers
from django.contrib.auth.models import User
from django.urls import reverse

from apikeys import pacing
from apikeys.models import AuditEvent
from tests.apikeys.redis_server import PATIENCE_SECONDS, RedisServer
from tests.conftest import PortalClient

LOGIN = "/admin/login/"
PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def _fast_hasher(settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def redis_server(monkeypatch):
    """A Redis that is not given up where it answers late."""
    monkeypatch.setattr(pacing, "REDIS_SECONDS", PATIENCE_SECONDS)
    server = RedisServer()
    server.start()
    yield server
    server.kill()


@pytest.fixture
def staff(db):
    return User.objects.create_user("ingrid", password=PASSWORD, is_staff=True)


def sign_in(client, username="ingrid", password=PASSWORD, address="192.0.2.1", **more):
    return client.post(LOGIN, {"username": username, "password": password, **more}, REMOTE_ADDR=address)


def without_token(response):
    """The page without what differs from one rendering to the next."""
    return re.sub(r'(csrfmiddlewaretoken" value|nonce)="[^"]+"', "", response.content.decode())


def test_login_leads_on_and_is_in_the_trail(portal, staff):
    assert sign_in(portal)["Location"] == reverse("admin:index")
    event = AuditEvent.objects.get(action="staff_signed_in")
    assert (event.actor, event.address) == ("ingrid", "192.0.2.1")


@pytest.mark.parametrize(
    "target", ["//evil.example", "https://evil.example/", "javascript:alert(1)", "/\\evil.example"]
)
def test_login_next_leads_nowhere_else(portal, staff, target):
    assert sign_in(portal, next=target)["Location"] == reverse("admin:index")


def test_login_next_within_the_portal_is_followed(portal, staff):
    assert sign_in(portal, next="/admin/apikeys/apikey/")["Location"] == "/admin/apikeys/apikey/"


@pytest.mark.parametrize(
    ("username", "columns"),
    [("nobody", {}), ("ingrid", {}), ("ingrid", {"is_active": False}), ("ingrid", {"is_staff": False})],
    ids=["unknown", "wrong password", "deactivated", "no staff"],
)
def test_login_refusal_is_the_same_for_every_cause(portal, staff, username, columns):
    User.objects.update(**columns)
    password = PASSWORD if columns else "wrong"
    refused = without_token(sign_in(portal, username, password)).replace(username, "")
    unknown = without_token(sign_in(PortalClient(), "somebody", "wrong")).replace("somebody", "")
    assert refused == unknown
    assert "_auth_user_id" not in portal.session


def test_login_sixth_try_within_a_minute_is_429(portal, staff):
    answers = [sign_in(portal, password="wrong") for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    assert 1 <= int(answers[-1]["Retry-After"]) <= 60
    assert "Too many tries" in answers[-1].content.decode()


def test_login_paced_even_with_the_right_password(portal, staff):
    for _ in range(5):
        sign_in(portal, password="wrong")
    assert sign_in(portal).status_code == 429
    assert "_auth_user_id" not in portal.session


def test_login_paced_try_hashes_no_password(portal, staff, monkeypatch):
    for _ in range(5):
        sign_in(portal, password="wrong")
    monkeypatch.setattr(hashers.MD5PasswordHasher, "encode", lambda *_: pytest.fail("hashed"))
    assert sign_in(portal, password="wrong").status_code == 429


def test_login_pace_of_an_unknown_name_is_the_same(portal, staff):
    answers = [sign_in(portal, "nobody").status_code for _ in range(6)]
    assert answers == [200] * 5 + [429]


def test_login_pace_counts_a_name_in_any_case_as_one(portal, staff):
    for name in ("ingrid", "Ingrid", "INGRID", " ingrid", "ingrid"):
        sign_in(portal, name, "wrong")
    assert sign_in(portal).status_code == 429


def test_login_from_another_address_is_not_held_back(portal, staff):
    for _ in range(6):
        sign_in(portal, password="wrong")
    assert sign_in(portal, address="192.0.2.2").status_code == 302


def test_login_backs_off_further_for_those_who_go_on(portal, staff, time_machine):
    waits = []
    time_machine.move_to("2026-11-25T12:00:00+00:00")
    for _ in range(30):
        answer = sign_in(portal, password="wrong")
        if answer.status_code == 429:
            waits.append(int(answer["Retry-After"]))
            time_machine.shift(waits[-1] + 1)
    assert max(waits) > 10 * min(waits)


def test_login_many_names_from_one_address_are_paced(portal, staff):
    answers = [sign_in(portal, f"name-{number}", "wrong").status_code for number in range(61)]
    assert answers == [200] * 60 + [429]


def test_login_pace_is_counted_in_redis_without_the_name(portal, staff, settings, redis_server):
    settings.HOKUSAI_REDIS_URL = redis_server.url
    for _ in range(5):
        sign_in(portal, "typed-by-mistake", "wrong")
    pacing.shared.cache_clear()
    assert sign_in(portal, "typed-by-mistake").status_code == 429
    with redis.Redis(port=redis_server.port) as client:
        assert not list(client.scan_iter("*typed*"))


def test_login_tries_leave_nothing_of_what_was_typed(portal, staff, log_output):
    for _ in range(6):
        sign_in(portal, "typed-by-mistake", "wrong-secret")
    assert "staff_sign_in_paced" in log_output.getvalue()
    assert "typed-by-mistake" not in log_output.getvalue()
    assert "wrong-secret" not in log_output.getvalue()
    assert not AuditEvent.objects.filter(actor__contains="typed").exists()


def test_login_page_is_never_stored_and_sends_its_origin(portal, db):
    response = portal.get(LOGIN)
    assert "no-store" in response["Cache-Control"]
    # A browser sends `Origin: null` under no-referrer, which CSRF protection refuses.
    assert response["Referrer-Policy"] == "same-origin"
