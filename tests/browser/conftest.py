"""What the browser tests share: the system's Chromium, a person signed in to the admin, and an ear for complaints."""

import os

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connections
from django.test import Client

from apikeys import actions, scopes, webhooks
from apikeys.deliveries import TYPES
from apikeys.models import ApiKey, KeyNetwork, database_now
from mlflow_proxy.models import DoctorWalk
from tests.browser.chromium import PATIENCE, launched


@pytest.fixture(scope="module")
def browser():
    """One browser for a module, and not longer: while it lives, a loop runs that Django takes for an async program."""
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    connection = connections["default"]
    with launched() as browser:
        # Under the loop there would be another one, which does not know what pytest-django noted on this.
        connections["default"] = connection
        yield browser
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def complaints():
    """What the browser complained of: violations of the policy, errors of scripts, files that are missing."""
    return []


@pytest.fixture
def open_page(browser, live_server, complaints):
    """A factory of pages in a fresh context; ``user`` is signed in."""
    contexts = []

    def make(user=None, **options):
        # A colour is judged where it comes to rest, not on its way there.
        context = browser.new_context(base_url=live_server.url, reduced_motion="reduce", **options)
        contexts.append(context)
        if user is not None:
            client = Client()
            client.force_login(user)
            name = settings.SESSION_COOKIE_NAME
            context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": live_server.url}])
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        return page

    yield make
    for context in contexts:
        context.close()


@pytest.fixture
def root(live_server):
    """Who may do everything; the password is for the one test that signs in by hand."""
    return User.objects.create_superuser("root", password="correct horse battery")


@pytest.fixture
def page(open_page, root):
    return open_page(root)


@pytest.fixture
def rows(live_server, actor):
    """Something on every screen: services, keys in several conditions, a rotation, events, a walk."""
    batch = actions.create_service(service_id="batch", description="Scores at night.", owner="Data", actor=actor)
    batch = actions.change_service(service=batch, actor=actor, default_scopes=list(scopes.PRESETS["contributor"]))

    def issue(name, **more):
        words = scopes.PRESETS["contributor"]
        return actions.issue_key(service=batch, name=name, scopes=words, actor=actor, **more).row

    active = issue("night run", note="On the GPU nodes", allowed_ips=["192.0.2.0/24"])
    ApiKey.objects.update(last_used_at=database_now(), last_used_ip="192.0.2.9", last_used_agent="mlflow/3.17.2")
    KeyNetwork.objects.create(key=active, network="192.0.2.0/24")
    hops = [
        {"name": "address", "status": "passed", "latency_ms": 1, "detail": "registry is 192.0.2.1"},
        {"name": "connection", "status": "failed", "latency_ms": 2, "reason": "CONNECTION_REFUSED"}
        | {"detail": "port 443: Connection refused", "hint": "Nothing listens there."},
    ]
    DoctorWalk.objects.create(
        portal="https://registry.example.org", asked_by="root", hops=hops, ended_at=database_now()
    )
    old = issue("notebooks")
    new = actions.rotate_key(key=old, actor=actor).row
    revoked = actions.revoke_key(key=issue("laptop"), reason="lost", actor=actor)
    paused = actions.disable_key(key=issue("trainee"), reason="On leave", actor=actor)
    # An address, so that no name server is asked.
    asked = {"webhook_id": "chat", "url": "https://93.184.216.34/hook", "types": list(TYPES)}
    webhook = webhooks.create_webhook(**asked, actor=actor).row
    delivery = webhooks.queue_test(webhook=webhook, actor=actor)
    keys = {"active": active, "old": old, "new": new, "revoked": revoked, "paused": paused}
    return {"service": batch, "webhook": webhook, "delivery": delivery, **keys}
