"""What the tests of the admin share: an account for each role, its client, and addresses of screens."""

import pytest
from django.contrib.auth.models import Group, User
from django.urls import reverse

from apikeys.models import AuditEvent
from tests.conftest import PortalClient

ROLES = ("no group", "viewer", "key issuer", "auditor", "administrator", "superuser")


@pytest.fixture
def account(db, batch):
    """A factory of staff by role; the key issuer is listed by service batch."""

    def make(role):
        user, is_new = User.objects.get_or_create(
            username=role.replace(" ", "-"), defaults={"is_staff": True, "is_superuser": role == "superuser"}
        )
        if is_new and role in {"viewer", "key issuer", "auditor", "administrator"}:
            user.groups.add(Group.objects.get(name=role))
        if role == "key issuer":
            batch.issuers.add(user)
        return user

    return make


@pytest.fixture
def as_role(account):
    """A factory of clients with a session of an account of that role; ``anonymous`` has none."""

    def sign_in(role):
        client = PortalClient()
        if role != "anonymous":
            client.force_login(account(role))
        return client

    return sign_in


@pytest.fixture
def admin(as_role):
    return as_role("administrator")


@pytest.fixture
def issuer(as_role):
    return as_role("key issuer")


@pytest.fixture
def last_event(db):
    return lambda: AuditEvent.objects.order_by("pk").last()


def page(row):
    return reverse(f"admin:apikeys_{row._meta.model_name}_page", args=[row.pk])


def listed(name):
    return reverse(f"admin:apikeys_{name}_changelist")


def change(row, name):
    return reverse(f"admin:apikeys_{row._meta.model_name}_{name}") + f"?rows={row.pk}"


def text_of(response):
    return b"".join(response).decode() if response.streaming else response.content.decode()
