"""What every unit test shares: a cast of three keys, a client that sends raw targets, and a quiet usage thread."""

import json
import logging
import os
from collections import Counter
from importlib import import_module
from io import StringIO
from typing import Any

import hypothesis
import pytest
import structlog
from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.core.management.color import no_style
from django.db import connection, connections
from django.test import Client

from apikeys import actions, failures, pacing, scopes, sightings, usage
from apikeys.api import usage as usage_api
from apikeys.models import DEFAULT_SERVICE, Service
from apikeys.throttling import ConcurrencyThrottle
from mlflow_proxy import circuits, views
from tests.ending import pytest_sessionfinish  # noqa: F401  (a hook)

# No test asserts a time: what a busy machine does slowly is no failure.
hypothesis.settings.register_profile("house", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("house")
# Fifty threads wait for each other's lock, or for one of the pool's few connections, however slow the machine is.
LOCK_SECONDS = 60


@pytest.fixture(scope="session")
def django_db_modify_db_settings(tmp_path_factory):
    """Threads need a file: connections to a database in memory fail on each other's locks instead of waiting."""
    facts = connections["default"].settings_dict
    if connections["default"].vendor == "sqlite":
        facts["TEST"]["NAME"] = str(tmp_path_factory.mktemp("database") / "test.sqlite3")
        facts["OPTIONS"]["timeout"] = LOCK_SECONDS


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup):
    """A test that commits has every table emptied and filled anew, which the guard of the audit trail refuses."""
    if connection.vendor == "postgresql":
        # The migrations of this process were in a hurry.
        connection.settings_dict["OPTIONS"]["pool"]["timeout"] = LOCK_SECONDS
        connection.close()
        connection.close_pool()
    guard = import_module("apikeys.migrations.0007_append_only")

    def without_the_guard(function):
        def call(self, *args):
            with self.connection.schema_editor() as editor:
                guard.remove(None, editor)
            try:
                function(self, *args)
            finally:
                with self.connection.schema_editor() as editor:
                    guard.install(None, editor)

        return call

    def with_empty_tables(function):
        def call(self, *args):
            # A browser's last request may have come, and made rows, after the last test's tables were emptied.
            call_command("flush", verbosity=0, interactive=False, inhibit_post_migrate=True)
            function(self, *args)
            # The rows came with their ids: PostgreSQL would give the same ones again.
            models = apps.get_models()
            with self.connection.cursor() as cursor:
                for statement in self.connection.ops.sequence_reset_sql(no_style(), models):
                    cursor.execute(statement)

        return call

    # Of the classes: a test with a running loop, like one with a browser, has a connection of its own.
    operations, creation = type(connection.ops), type(connection.creation)
    operations.execute_sql_flush = without_the_guard(operations.execute_sql_flush)
    creation.deserialize_db_from_string = with_empty_tables(creation.deserialize_db_from_string)


@pytest.fixture(scope="session", autouse=True)
def _static_root():
    """WhiteNoise warns about a folder that collectstatic has not made yet."""
    settings.STATIC_ROOT.mkdir(exist_ok=True)


@pytest.fixture(autouse=True)
def _no_leftovers(monkeypatch):
    """The flusher would write from a thread of its own, outside of any test's database; and a test's transaction
    ends with its connection, which Django's client spares for the same reason."""
    monkeypatch.setattr(usage, "_flusher_of_process", os.getpid())
    for module in (views, usage_api):
        monkeypatch.setattr(module, "close_old_connections", lambda: None)
    monkeypatch.setattr(failures, "_pace", pacing.Pace(""))
    monkeypatch.setattr(failures, "_good", {})
    monkeypatch.setattr(ConcurrencyThrottle, "_open", Counter())
    pacing.shared.cache_clear()
    circuits._breaker.cache_clear()
    structlog.contextvars.clear_contextvars()
    yield
    usage._pending.clear()
    usage._addresses.clear()
    sightings._written.clear()
    usage._tally.take()
    structlog.contextvars.clear_contextvars()


class PortalClient(Client):
    """Django's client, which also hands on the request target as received, as gunicorn does."""

    def generic(self, method: str, path: str, *args: Any, **kwargs: Any) -> Any:
        return super().generic(method, path, *args, **{"RAW_URI": path, "HTTP_HOST": "testserver"} | kwargs)


@pytest.fixture
def portal():
    return PortalClient()


@pytest.fixture
def forbid(monkeypatch):
    """Name what must not be called: ``forbid(owner, "attribute", ...)``."""

    def forbid_calls(owner, *names):
        def fail(*args, **kwargs):
            pytest.fail("was called")

        for name in names:
            monkeypatch.setattr(owner, name, fail)

    return forbid_calls


@pytest.fixture
def actor():
    return actions.Actor(name="alice", address="192.0.2.7", request_id="req-1")


@pytest.fixture
def platform(db):
    return Service.objects.get(service_id=DEFAULT_SERVICE)


@pytest.fixture
def batch(db, actor):
    return actions.create_service(service_id="batch", actor=actor)


@pytest.fixture
def issue(platform, actor):
    """A factory of keys of the default service, with the reader's scopes unless told otherwise."""

    def issue_key(service=platform, name="laptop", words=scopes.PRESETS["reader"], **more):
        return actions.issue_key(service=service, name=name, scopes=words, actor=actor, **more)

    return issue_key


@pytest.fixture
def reader(issue):
    return issue(name="reader")


@pytest.fixture
def writer(issue):
    return issue(name="writer", words=scopes.PRESETS["contributor"])


@pytest.fixture
def stranger(issue, batch):
    return issue(service=batch, name="stranger")


@pytest.fixture
def bearer():
    """How a key travels: the header of an issued key."""
    return lambda issued: {"Authorization": f"Bearer {issued.secret.text}"}


class LogOutput(StringIO):
    """What the process wrote to standard error, without the lines of the server that plays MLflow."""

    @property
    def lines(self):
        lines = [json.loads(line) for line in self.getvalue().splitlines()]
        return [line for line in lines if line["logger"] != "werkzeug"]

    def events(self, name):
        return [line for line in self.lines if line["event"] == name]


@pytest.fixture
def log_output(monkeypatch):
    """Everything at level DEBUG, through the handler and formatter of the portal."""
    root = logging.getLogger()
    (handler,) = (h for h in root.handlers if isinstance(h.formatter, structlog.stdlib.ProcessorFormatter))
    output, level = LogOutput(), root.level
    monkeypatch.setattr(handler, "stream", output)
    root.setLevel(logging.DEBUG)
    yield output
    root.setLevel(level)
