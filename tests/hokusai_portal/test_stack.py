"""The embedded stack: what it creates once, what it tells, and what it hands to its two processes."""

import re
import socket

import pytest
from django.contrib.auth.models import User

from apikeys.authentication import verify
from apikeys.models import ApiKey
from hokusai_portal import env, stack


@pytest.fixture
def fast_hasher(settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def test_first_key_works_and_belongs_to_the_default_service(platform):
    text = "\n".join(stack.first_key())
    key = verify(re.search(r"MLFLOW_TRACKING_TOKEN=(\S+)", text)[1])
    assert key.service == platform
    assert "MLFLOW_TRACKING_URI=http://127.0.0.1:8000/api/mlflow" in text


def test_first_key_second_start_issues_none(reader):
    text = "\n".join(stack.first_key())
    assert ApiKey.objects.count() == 1
    assert "issue_key" in text


def test_first_account_can_sign_in_with_what_is_shown(db, fast_hasher, client):
    text = "\n".join(stack.first_account())
    assert client.login(username="admin", password=re.search(r"Password +(\S+)", text)[1])


def test_first_account_password_of_the_environment_is_not_shown(db, fast_hasher, client, monkeypatch):
    monkeypatch.setattr(env, "ADMIN_PASSWORD", "correct horse")
    assert "correct horse" not in "\n".join(stack.first_account())
    assert client.login(username="admin", password="correct horse")


def test_first_account_second_start_changes_nothing(db):
    User.objects.create(username="root", is_superuser=True)
    assert stack.first_account() == []
    assert User.objects.count() == 1


def test_is_taken_port_in_use_is_true():
    with socket.socket() as held:
        held.bind((env.PORTAL_HOST, 0))
        held.listen()
        assert stack.is_taken(held.getsockname()[1])


def test_is_taken_free_port_is_false():
    with socket.socket() as held:
        held.bind((env.PORTAL_HOST, 0))
        port = held.getsockname()[1]
    assert not stack.is_taken(port)


def test_main_taken_port_is_told_with_the_way_out(monkeypatch, capsys):
    monkeypatch.setattr(stack, "is_taken", lambda port: port == env.MLFLOW_PORT)
    assert stack.main() == 1
    assert f"make run MLFLOW_PORT={env.MLFLOW_PORT + 1}" in capsys.readouterr().out


def test_mlflow_environment_keeps_all_data_below_the_data_folder():
    variables = stack.mlflow_environment()
    for name in ("BACKEND_STORE_URI", "DEFAULT_ARTIFACT_ROOT"):
        assert str(env.DATA_DIR) in variables[name]


def test_mlflow_environment_listens_on_this_machine_alone():
    assert stack.mlflow_environment()["MLFLOW_HOST"] == "127.0.0.1"


def test_portal_environment_leads_to_the_embedded_mlflow():
    assert stack.portal_environment()["MLFLOW_SERVER_URL"] == f"http://127.0.0.1:{env.MLFLOW_PORT}"
