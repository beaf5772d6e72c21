"""The page of the doctor: who may see it, who may let it walk, and what it shows."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from mlflow_proxy.health import walks
from mlflow_proxy.models import DoctorWalk

pytestmark = pytest.mark.django_db

PAGE = "/admin/storage-health/doctor/"
HOSTILE = '"><script>alert(1)</script>'


@pytest.fixture
def as_role(portal: Client) -> Any:
    def sign_in(role: str) -> Client:
        user = User.objects.create(username="alice", is_staff=True)
        user.groups.set(Group.objects.filter(name=role))
        portal.force_login(user)
        return portal

    return sign_in


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Where to and by whom a walk was begun; none is made."""
    asked: list[tuple[str, str]] = []
    monkeypatch.setattr(walks, "walk_aside", lambda url, actor: asked.append((url, actor.name)))
    return asked


@pytest.fixture
def failed() -> DoctorWalk:
    hops = [
        {"name": "address", "status": "passed", "latency_ms": 1.2, "detail": "registry is 192.0.2.1"},
        {"name": "connection", "status": "failed", "latency_ms": 3.4, "reason": "CONNECTION_REFUSED"}
        | {"detail": HOSTILE, "hint": "Nothing listens there."},
    ]
    row = DoctorWalk(portal="https://registry.example.org", asked_by="bob", hops=hops)
    row.started_at = row.ended_at = walks.database_now()
    row.save()
    return row


@pytest.mark.parametrize(
    ("role", "page", "start"),
    [
        ("nobody", 403, 403),
        ("key issuer", 403, 403),
        ("viewer", 200, 403),
        ("auditor", 200, 403),
        ("administrator", 200, 302),
    ],
)
def test_walk_is_seen_by_who_sees_storage_health_and_begun_by_administrators(
    as_role: Any, begun: list[Any], role: str, page: int, start: int
) -> None:
    client = as_role(role)
    assert (client.get(PAGE).status_code, client.get(f"{PAGE}progress").status_code) == (page, page)
    assert client.post(f"{PAGE}walk").status_code == start
    assert len(begun) == (start == 302)


def test_button_is_shown_to_who_may_press_it(as_role: Any) -> None:
    assert "Walk now" in as_role("administrator").get(PAGE).content.decode()


def test_button_is_not_shown_to_who_may_not_press_it(as_role: Any) -> None:
    assert "Walk now" not in as_role("viewer").get(PAGE).content.decode()


def test_stranger_is_sent_to_the_login(portal: Client, begun: list[Any]) -> None:
    for response in (portal.get(PAGE), portal.get(f"{PAGE}progress"), portal.post(f"{PAGE}walk")):
        assert response["Location"].startswith("/admin/login/")
    assert begun == []


def test_walk_goes_to_the_public_address_in_the_name_of_who_asked(
    as_role: Any, begun: list[Any], settings: Any
) -> None:
    settings.HOKUSAI_PUBLIC_URL = "https://registry.example.org/"
    assert as_role("administrator").post(f"{PAGE}walk").url == PAGE
    assert begun == [("https://registry.example.org", "alice")]


def test_walk_without_a_public_address_goes_to_the_host_that_staff_came_to(as_role: Any, begun: list[Any]) -> None:
    as_role("administrator").post(f"{PAGE}walk")
    assert begun == [("http://testserver", "alice")]


def test_walk_while_one_is_under_way_begins_no_other(as_role: Any, begun: list[Any]) -> None:
    DoctorWalk.objects.create(portal="https://registry.example.org", asked_by="bob")
    response = as_role("administrator").post(f"{PAGE}walk", follow=True)
    assert "under way already" in response.content.decode()
    assert begun == []


def test_walk_is_not_begun_by_a_link(as_role: Any, begun: list[Any]) -> None:
    assert as_role("administrator").get(f"{PAGE}walk").status_code == 405
    assert begun == []


def test_walk_is_not_begun_by_another_site(begun: list[Any]) -> None:
    client = Client(enforce_csrf_checks=True, headers={"Host": "testserver"})
    client.force_login(User.objects.create(username="root", is_staff=True, is_superuser=True))
    assert client.post(f"{PAGE}walk").status_code == 403
    assert begun == []


def test_page_names_the_hop_that_failed_and_its_cure(as_role: Any, failed: DoctorWalk) -> None:
    text = as_role("viewer").get(PAGE).content.decode()
    for part in ("The first hop that failed is “connection is taken”.", "Nothing listens there.", "asked by bob"):
        assert part in text
    assert "CONNECTION_REFUSED" in text
    assert "data-running" not in text


def test_page_and_progress_escape_what_servers_say(as_role: Any, failed: DoctorWalk) -> None:
    client = as_role("viewer")
    assert HOSTILE not in client.get(PAGE).content.decode()
    assert HOSTILE not in client.get(f"{PAGE}progress").json()["steps"]


def test_page_keeps_to_the_policy(as_role: Any, failed: DoctorWalk) -> None:
    text = as_role("administrator").get(PAGE).content.decode()
    assert re.findall(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=", text) == []


def test_page_while_a_walk_is_under_way_shows_how_far_and_reloads_without_script(as_role: Any) -> None:
    hops = [{"name": "address", "status": "passed", "latency_ms": 1.2}]
    DoctorWalk.objects.create(portal="https://registry.example.org", asked_by="bob", hops=hops, moved="3 of 64 MiB")
    client = as_role("administrator")
    text = client.get(PAGE).content.decode()
    assert '<noscript><meta http-equiv="refresh"' in text
    assert re.search(r"<span data-answered>1</span> of 13 hops", text)
    assert re.search(r"<button[^>]* disabled>Walk now", text)
    told = client.get(f"{PAGE}progress").json()
    assert (told["running"], told["answered"]) == (True, 1)
    assert "3 of 64 MiB" in told["steps"]


def test_page_of_storage_health_leads_to_the_doctor(as_role: Any) -> None:
    assert f'href="{PAGE}"' in as_role("viewer").get("/admin/storage-health/").content.decode()
