"""Rights of staff: what a group opens, and for which services."""

import pytest
from django.contrib.auth.models import AnonymousUser, Group, Permission, User

from apikeys import actions, scopes, staff
from apikeys.migrations import __name__ as migrations
from apikeys.models import ApiKey, AuditEvent, Service

FIRST = __import__(f"{migrations}.0006_roles", fromlist=["ROLES"]).ROLES
INTERFACE = __import__(f"{migrations}.0008_ui_permissions", fromlist=["ROLES"]).ROLES
WEBHOOKS = {"administrator": tuple(__import__(f"{migrations}.0010_webhooks", fromlist=["PERMISSIONS"]).PERMISSIONS)}
ROLES = {role: (*names, *INTERFACE.get(role, ()), *WEBHOOKS.get(role, ())) for role, names in FIRST.items()}


@pytest.fixture
def account(db):
    """A factory of accounts in a group, listed as issuer of the services given."""

    def make(role="", *issues_for, **columns):
        user = User.objects.create(username=f"{role or 'nobody'}", is_staff=True, **columns)
        if role:
            user.groups.add(Group.objects.get(name=role))
        for service in issues_for:
            service.issuers.add(user)
        return user

    return make


def test_roles_have_exactly_their_permissions(db):
    ours = {"permissions__content_type__app_label": "apikeys"}
    held = {
        role: set(Group.objects.filter(name=role, **ours).values_list("permissions__codename", flat=True))
        for role in ROLES
    }
    assert held == {role: set(codenames) for role, codenames in ROLES.items()}
    assert set(Group.objects.values_list("name", flat=True)) == set(ROLES)


def test_administrator_holds_everything_that_means_anything(db):
    assert set(ROLES["administrator"]) == staff.CODENAMES


def test_roles_use_permissions_that_django_itself_would_make(db):
    assert not Permission.objects.filter(content_type__app_label="apikeys").exclude(
        content_type__model__in=["service", "apikey", "auditevent", "webhook", "delivery"]
    )
    assert Permission.objects.filter(codename="view_service").count() == 1


@pytest.mark.parametrize("role", ["viewer", "auditor", "administrator"])
def test_wide_role_sees_every_service_and_key(account, role, reader, stranger):
    user = account(role)
    assert set(staff.services(user)) == set(Service.objects.all())
    assert set(staff.keys(user)) == {reader.row, stranger.row}


def test_key_issuer_sees_what_is_granted_alone(account, batch, reader, stranger):
    user = account("key issuer", batch)
    assert list(staff.services(user)) == [batch]
    assert list(staff.keys(user)) == [stranger.row]
    assert set(staff.events(user)) == set(AuditEvent.objects.filter(service_id="batch"))


def test_key_issuer_granted_nothing_sees_nothing(account, reader):
    user = account("key issuer")
    assert [*staff.services(user), *staff.keys(user), *staff.events(user)] == []


def test_key_issuer_who_is_viewer_too_still_acts_for_the_granted_alone(account, batch, platform, reader):
    user = account("key issuer", batch)
    user.groups.add(Group.objects.get(name="viewer"))
    user = User.objects.get(pk=user.pk)
    assert set(staff.services(user)) == {batch, platform}
    assert list(staff.services_to_issue_for(user)) == [batch]
    assert not staff.may(user, "change", reader.row)


def test_listed_issuer_without_the_group_may_nothing(account, batch, stranger):
    user = account("", batch)
    assert not staff.may(user, "view", stranger.row)
    assert not staff.may_issue(user, batch)


@pytest.mark.parametrize("subject", [Service, ApiKey, AuditEvent])
def test_nobody_deletes_not_even_a_superuser(account, subject):
    assert not staff.may(account(is_superuser=True), "delete", subject)


@pytest.mark.parametrize("verb", ["add", "change"])
def test_nobody_changes_the_trail_not_even_a_superuser(account, verb):
    assert not staff.may(account(is_superuser=True), verb, AuditEvent)


@pytest.mark.parametrize("columns", [{"is_active": False}, {"is_staff": False}], ids=str)
def test_account_that_is_paused_or_no_staff_may_nothing(account, columns, reader):
    user = account(is_superuser=True)
    for name, value in columns.items():
        setattr(user, name, value)
    assert not staff.may(user, "view", ApiKey)
    assert not staff.may(user, "view", reader.row)


def test_stranger_without_account_may_nothing(reader):
    assert not staff.may(AnonymousUser(), "view", reader.row)
    assert not staff.services_to_issue_for(AnonymousUser())


def test_key_issuer_gives_no_scope_that_reaches_past_its_service(account, batch):
    assert scopes.ALL - staff.grantable_scopes(account("key issuer", batch)) == {"mlflow:admin", "audit:read"}
    assert staff.grantable_scopes(account("administrator")) == scopes.ALL


def test_key_issuer_is_shown_no_successor_that_holds_more_than_it_may_give(account, batch, issue):
    user = account("key issuer", batch)
    assert staff.may_rotate(user, issue(service=batch).row)
    assert not staff.may_rotate(user, issue(service=batch, words=["mlflow:admin"]).row)


def test_paused_service_stays_visible_to_its_issuer(account, batch, actor):
    user = account("key issuer", batch)
    actions.disable_service(service=batch, reason="audit", actor=actor)
    assert staff.may(user, "view", batch)
