"""The screens of accounts and groups: every change of who may do what is in the trail, and no password is."""

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission, User
from django.urls import reverse

from apikeys.models import AuditEvent

PASSWORD = "correct horse battery staple"


@pytest.fixture
def root(as_role):
    return as_role("superuser")


@pytest.fixture
def ingrid(db):
    return User.objects.create_user("ingrid", password=PASSWORD, is_staff=True)


def edit(user, **more):
    form = {"username": user.username, "is_active": "on", "is_staff": "on", "date_joined_0": "2026-01-01"}
    return reverse("admin:auth_user_change", args=[user.pk]), form | {"date_joined_1": "00:00"} | more


def last():
    return AuditEvent.objects.order_by("pk").last()


def test_account_put_into_a_group_is_recorded_with_before_and_after(root, ingrid):
    address, form = edit(ingrid, groups=[Group.objects.get(name="auditor").pk])
    root.post(address, form)
    event = last()
    assert (event.action, event.object_id, event.actor) == ("account_changed", "ingrid", "superuser")
    assert (event.before, event.after["groups"]) == ({"groups": []}, ["auditor"])
    assert "Groups" in event.after["fields"]


def test_account_deactivated_is_recorded(root, ingrid):
    address, form = edit(ingrid)
    root.post(address, {name: value for name, value in form.items() if name != "is_active"})
    assert (last().before, last().after["is_active"]) == ({"is_active": True}, False)


def test_account_created_is_recorded_without_its_password(root):
    form = {"username": "new", "usable_password": "true", "password1": PASSWORD, "password2": PASSWORD}
    root.post(reverse("admin:auth_user_add"), form)
    event = AuditEvent.objects.get(action="account_created")
    assert event.object_id == "new"
    assert PASSWORD not in str(event.after)
    assert "password" not in event.after


def test_password_set_by_a_superuser_is_recorded_without_it(root, ingrid):
    form = {"usable_password": "true", "password1": "another " + PASSWORD, "password2": "another " + PASSWORD}
    root.post(reverse("admin:auth_user_password_change", args=[ingrid.pk]), form)
    event = last()
    assert (event.action, event.object_id) == ("account_changed", "ingrid")
    assert PASSWORD not in f"{event.before} {event.after}"
    ingrid.refresh_from_db()
    assert ingrid.password not in f"{event.before} {event.after}"


def test_group_given_a_permission_is_recorded(root):
    group = Group.objects.get(name="viewer")
    held = list(group.permissions.values_list("pk", flat=True))
    extra = Permission.objects.get(codename="view_auditevent").pk
    root.post(reverse("admin:auth_group_change", args=[group.pk]), {"name": "viewer", "permissions": [*held, extra]})
    event = last()
    assert (event.action, event.object_id) == ("group_changed", "viewer")
    assert "view_auditevent" in event.after["permissions"]
    assert "view_auditevent" not in event.before["permissions"]


def test_django_s_own_log_stays_empty(root, ingrid):
    root.post(*edit(ingrid))
    assert not LogEntry.objects.exists()


def test_user_with_the_permissions_but_no_superuser_sees_no_account(as_role, account, ingrid):
    user = account("administrator")
    user.user_permissions.set(Permission.objects.filter(content_type__app_label="auth"))
    assert as_role("administrator").get(reverse("admin:auth_user_changelist")).status_code == 403
