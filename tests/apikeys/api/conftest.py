"""What the tests of the REST API share: callers of every kind, and an ask that speaks JSON."""

import json

import pytest
from django.contrib.auth.models import Group, User

from apikeys import scopes
from tests.conftest import PortalClient

WORDS = {
    "reader": scopes.PRESETS["reader"],
    "key reader": ("key:read",),
    "key writer": ("key:write", "mlflow:read", "model:write"),
    "auditor": ("audit:read",),
    "watcher": ("storage:read",),
    "operator": ("key:write", "audit:read", "storage:read", "mlflow:write", "model:write", "artifact:write"),
}
ROLES = ("viewer", "key issuer", "auditor", "administrator")


class Caller:
    """Somebody who asks the REST API; ``issued`` is the key that it uses, None for staff."""

    def __init__(self, issued=None, user=None):
        self.issued, self.user, self.client = issued, user, PortalClient()
        self.headers = {"Authorization": f"Bearer {issued.secret.text}"} if issued else {}
        if user is not None:
            self.client.force_login(user)

    def ask(self, method, path, document=None, **headers):
        """Send a request below /api/v1; words of headers are written with ``_``."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        body = {} if document is None else {"data": json.dumps(document), "content_type": "application/json"}
        return self.client.generic(method, f"/api/v1{path}", headers=self.headers | sent, **body)

    def get(self, path, **headers):
        return self.ask("GET", path, **headers)

    def post(self, path, document=None, **headers):
        return self.ask("POST", path, {} if document is None else document, **headers)

    def patch(self, path, document, etag="*"):
        return self.ask("PATCH", path, document, **({"If_Match": etag} if etag else {}))


@pytest.fixture
def caller(issue, batch, platform, db):
    """A factory of callers: a word of WORDS with ``batch`` or ``platform``, or a group of staff."""

    def make(word, service="platform", **limits):
        if service:
            owner = {"batch": batch, "platform": platform}[service]
            return Caller(issue(service=owner, name=word, words=WORDS[word], **limits))
        user, is_new = User.objects.get_or_create(username=word.replace(" ", "-"), defaults={"is_staff": True})
        if is_new and word in ROLES:
            user.groups.add(Group.objects.get(name=word))
        if word == "key issuer":
            batch.issuers.add(user)
        return Caller(user=user)

    return make


@pytest.fixture
def operator(caller):
    return caller("operator")


@pytest.fixture
def keeper(caller):
    """Who may write the keys of batch, and no more."""
    return caller("key writer", "batch")


def reason(response):
    assert response["Content-Type"] == "application/problem+json"
    assert response.json()["status"] == response.status_code
    return response.json()["reason"]


def refused_fields(response):
    assert (response.status_code, reason(response)) == (400, "FIELD_REFUSED")
    return {error["field"] for error in response.json()["errors"]}


def is_good(portal, secret):
    """Whether the portal takes a key."""
    sent = {"content_type": "application/json", "headers": {"X-API-Key": secret}}
    return portal.post("/api/v1/keys/validate", {"service_id": "platform"}, **sent).status_code == 200
