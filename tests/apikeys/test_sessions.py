"""Sessions of staff: a new one with each login, and over by idleness, age, logout, a new password, deactivation."""

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session

from apikeys.sessions import IDLE_SECONDS, WHOLE_SECONDS
from tests.conftest import PortalClient

PASSWORD = "correct horse battery"
INDEX = "/admin/"


@pytest.fixture(autouse=True)
def _fast_hasher(settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def user(db):
    return User.objects.create_user("ingrid", password=PASSWORD, is_staff=True)


@pytest.fixture
def client(user, time_machine):
    time_machine.move_to("2026-11-25T12:00:00+00:00")
    client = PortalClient()
    client.post("/admin/login/", {"username": "ingrid", "password": PASSWORD})
    assert is_signed_in(client)
    return client


def is_signed_in(client):
    return client.get(INDEX).status_code == 200


def test_session_is_over_after_an_hour_unused(client, time_machine):
    time_machine.shift(IDLE_SECONDS + 1)
    assert not is_signed_in(client)
    assert not Session.objects.exists()


def test_session_in_use_goes_on(client, time_machine):
    for _ in range(3):
        time_machine.shift(IDLE_SECONDS - 60)
        assert is_signed_in(client)


def test_session_in_use_is_over_after_eight_hours(client, time_machine):
    for _ in range(WHOLE_SECONDS // 1800):
        time_machine.shift(1800)
        client.get(INDEX)
    time_machine.shift(120)
    assert not is_signed_in(client)


def test_session_that_is_idle_opens_no_health_details_either(client, time_machine):
    assert "detail" in client.get("/ready").json()["checks"][0]
    time_machine.shift(IDLE_SECONDS + 1)
    assert "detail" not in client.get("/ready").json()["checks"][0]


def test_session_is_noted_once_a_minute_and_not_with_every_page(client, time_machine, django_assert_num_queries):
    time_machine.shift(5)
    before = Session.objects.get().session_data
    client.get(INDEX)
    assert Session.objects.get().session_data == before
    time_machine.shift(60)
    client.get(INDEX)
    assert Session.objects.get().session_data != before


def test_session_key_offered_before_login_is_not_taken(user):
    client = PortalClient()
    client.cookies[settings.SESSION_COOKIE_NAME] = "a" * 32
    client.post("/admin/login/", {"username": "ingrid", "password": PASSWORD})
    assert client.cookies[settings.SESSION_COOKIE_NAME].value != "a" * 32
    assert is_signed_in(client)


def test_session_key_changes_with_every_login(client):
    first = client.cookies[settings.SESSION_COOKIE_NAME].value
    client.post("/admin/logout/")
    client.post("/admin/login/", {"username": "ingrid", "password": PASSWORD})
    assert client.cookies[settings.SESSION_COOKIE_NAME].value != first


def test_session_key_used_again_after_logout_opens_nothing(client):
    kept = client.cookies[settings.SESSION_COOKIE_NAME].value
    client.post("/admin/logout/")
    client.cookies[settings.SESSION_COOKIE_NAME] = kept
    assert not is_signed_in(client)


def test_session_dies_with_deactivation(client, user):
    User.objects.update(is_active=False)
    assert not is_signed_in(client)


def test_session_dies_with_a_new_password(client, user):
    user.set_password("another horse battery")
    user.save()
    assert not is_signed_in(client)


@pytest.mark.parametrize("attribute", ["httponly", "samesite"])
def test_session_cookie_is_hardened(client, attribute):
    assert client.cookies[settings.SESSION_COOKIE_NAME][attribute]
