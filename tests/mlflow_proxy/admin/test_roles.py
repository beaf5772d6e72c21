"""Who sees the health of the store: the groups that see everything."""

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("role", "status"), [("viewer", 200), ("auditor", 200), ("administrator", 200), ("key issuer", 403)]
)
def test_storage_health_is_open_to_the_groups_that_see_everything(portal: Client, role: str, status: int) -> None:
    user = User.objects.create(username="ingrid", is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    portal.force_login(user)
    assert portal.get(reverse("storage-health")).status_code == status
