"""System checks: each mistake between settings is one message with a stable id and a hint."""

import pytest
from django.core.checks import run_checks

from hokusai_portal import env

pytestmark = pytest.mark.django_db
SQLITE, POSTGRESQL = "django.db.backends.sqlite3", "django.db.backends.postgresql"


@pytest.fixture
def engine(settings, monkeypatch):
    return lambda name: monkeypatch.setitem(settings.DATABASES["default"], "ENGINE", name)


@pytest.fixture
def production(settings, engine):
    settings.HOKUSAI_ENVIRONMENT = "production"
    settings.HOKUSAI_PUBLIC_URL = "https://registry.example.org"
    engine(POSTGRESQL)
    return settings


def own_messages():
    return [message for message in run_checks() if message.id.startswith("hokusai_portal.")]


def ids():
    return [message.id for message in own_messages()]


def test_checks_development_has_no_complaint():
    assert ids() == []


def test_checks_production_as_meant_has_no_complaint(production):
    assert ids() == []


def test_checks_sqlite_in_production_is_e001(production, engine):
    engine(SQLITE)
    assert ids() == ["hokusai_portal.E001"]


@pytest.mark.parametrize("url", ["http://registry.example.org", "", "registry.example.org"])
def test_checks_plain_http_in_production_is_e002(production, url):
    production.HOKUSAI_PUBLIC_URL = url
    assert ids() == ["hokusai_portal.E002"]


def deployment_ids():
    found = run_checks(include_deployment_checks=True)
    return [message.id for message in found if message.id.startswith("hokusai_portal.")]


def test_checks_one_host_for_all_in_production_is_w002_of_a_deployment(production):
    assert deployment_ids() == ["hokusai_portal.W002"]
    assert ids() == []


def test_checks_host_of_its_own_for_the_interface_has_no_complaint(production):
    production.HOKUSAI_UI_HOST = "mlflow.example.org"
    assert deployment_ids() == []


def test_checks_one_host_for_all_in_development_has_no_complaint():
    assert deployment_ids() == []


def test_checks_names_of_the_predecessor_are_w001_each(monkeypatch):
    monkeypatch.setattr(env, "LEGACY_NAMES_SET", {"BCRYPT_ROUNDS": "", "DB_HOST": "DATABASE_URL"})
    messages = own_messages()
    assert [message.id for message in messages] == ["hokusai_portal.W001"] * 2
    assert "BCRYPT_ROUNDS" in messages[0].msg
    assert "DATABASE_URL" in messages[1].hint


def test_checks_every_message_has_a_hint(production, engine, monkeypatch):
    monkeypatch.setattr(env, "LEGACY_NAMES_SET", {"BCRYPT_ROUNDS": ""})
    engine(SQLITE)
    production.HOKUSAI_PUBLIC_URL = ""
    assert len(own_messages()) == 3
    assert all(message.hint for message in own_messages())


def test_checks_every_id_is_explained_in_the_documents():
    sources = "".join(path.read_text() for path in env.BASE_DIR.glob("*/checks.py"))
    documents = "".join(path.read_text() for path in (env.BASE_DIR / "docs").rglob("*.md"))
    found = {word.strip('",') for word in sources.replace("=", " ").split() if ".E0" in word or ".W0" in word}
    assert len(found) >= 4
    assert not [identifier for identifier in found if identifier not in documents]
