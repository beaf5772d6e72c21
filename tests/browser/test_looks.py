"""Every page, light and dark, wide and narrow: no complaint of the policy, no serious barrier, no overflow."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.auth.models import Group, User
from playwright.sync_api import expect

from apikeys.models import AuditEvent

pytestmark = [
    pytest.mark.django_db(transaction=True, serialized_rollback=True),
    pytest.mark.timeout(300),
]
WIDE, NARROW = {"width": 1280, "height": 860}, {"width": 390, "height": 844}
VARIANTS = [("light", WIDE), ("dark", WIDE), ("light", NARROW), ("dark", NARROW)]
PAGES = {
    "home": "/",
    "sign in": "/sign-in",
    "overview": "/admin/",
    "app": "/admin/apikeys/",
    "services": "/admin/apikeys/service/",
    "service": "/admin/apikeys/service/{service}/",
    "service form": "/admin/apikeys/service/{service}/change/",
    "service add": "/admin/apikeys/service/add/",
    "service disable": "/admin/apikeys/service/disable/?rows={service}",
    "keys": "/admin/apikeys/apikey/",
    "keys filtered": "/admin/apikeys/apikey/?status=active&q=night",
    "no keys": "/admin/apikeys/apikey/?q=nothing",
    "key": "/admin/apikeys/apikey/{active}/",
    "key revoked": "/admin/apikeys/apikey/{revoked}/",
    "key paused": "/admin/apikeys/apikey/{paused}/",
    "rotation": "/admin/apikeys/apikey/{new}/rotation/",
    "issue": "/admin/apikeys/apikey/add/?service={service}",
    "rotate": "/admin/apikeys/apikey/rotate/?rows={active}",
    "revoke two": "/admin/apikeys/apikey/revoke/?rows={active},{new}",
    "storage health": "/admin/storage-health/",
    "doctor": "/admin/storage-health/doctor/",
    "usage": "/admin/apikeys/usage/?span=week&service=nightly",
    "find": "/admin/apikeys/apikey/find/",
    "trail": "/admin/apikeys/auditevent/",
    "event": "/admin/apikeys/auditevent/{event}/",
    "webhooks": "/admin/apikeys/webhook/",
    "webhook": "/admin/apikeys/webhook/{webhook}/",
    "webhook add": "/admin/apikeys/webhook/add/",
    "deliveries": "/admin/apikeys/delivery/",
    "delivery": "/admin/apikeys/delivery/{delivery}/",
    "accounts": "/admin/auth/user/",
    "account": "/admin/auth/user/{person}/change/",
    "account add": "/admin/auth/user/add/",
    "groups": "/admin/auth/group/",
    "group": "/admin/auth/group/{group}/change/",
    "password": "/admin/password_change/",
}


def address(name, rows):
    event = AuditEvent.objects.filter(action="service_changed").first()
    person, group = User.objects.first(), Group.objects.first()
    return PAGES[name].format(
        event=event.pk, person=person.pk, group=group.pk, **{word: row.pk for word, row in rows.items()}
    )


def barriers(page):
    """What axe finds serious: rule, and the elements it is about."""
    found = Axe().run(page).response["violations"]
    return [
        (violation["id"], [node["html"][:120] for node in violation["nodes"]][:3])
        for violation in found
        if violation["impact"] in {"serious", "critical"}
    ]


def overflow(page):
    return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


def look(page, complaints):
    """Look at the page as it is in every variant."""
    for scheme, size in VARIANTS:
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size(size)
        assert overflow(page) <= 0, (scheme, size)
        assert barriers(page) == [], (scheme, size)
    assert complaints == []


@pytest.mark.parametrize("name", PAGES)
def test_page_has_no_csp_complaint_no_barrier_and_no_overflow(page, rows, complaints, name):
    response = page.goto(address(name, rows))
    assert (response.status, response.request.redirected_from) == (200, None)
    look(page, complaints)


def test_login_page_has_no_csp_complaint_no_barrier_and_no_overflow(open_page, live_server, complaints):
    page = open_page()
    page.goto("/admin/")
    look(page, complaints)


def test_login_page_that_refuses_has_no_barrier(open_page, live_server, complaints):
    page = open_page()
    page.goto("/admin/")
    page.get_by_label("Username").fill("nobody")
    page.get_by_label("Password").fill("wrong")
    page.keyboard.press("Enter")
    page.locator(".errornote").wait_for()
    look(page, complaints)


@pytest.mark.parametrize("name", ["keys", "key", "issue"])
def test_opened_menus_and_details_have_no_barrier(page, rows, complaints, name):
    page.goto(address(name, rows))
    for summary in page.locator("summary").all():
        summary.click()
    look(page, complaints)


def test_form_with_mistakes_has_no_barrier(page, rows, complaints):
    page.goto("/admin/apikeys/apikey/add/")
    page.get_by_role("button", name="Issue the key").click()
    expect(page.locator(".errorlist")).to_have_count(2)
    look(page, complaints)


def test_page_of_the_secret_has_no_barrier(page, rows, complaints):
    page.goto(address("issue", rows))
    page.get_by_label("Name", exact=True).fill("ci")
    page.get_by_role("button", name="Issue the key").click()
    page.locator("[data-secret]").first.wait_for()
    look(page, complaints)


def test_refusal_in_the_admin_is_a_page_that_says_so(page, rows, complaints):
    response = page.goto(f"/admin/apikeys/apikey/{rows['active'].pk}/delete/")
    assert response.status == 403
    page.get_by_text("This is not allowed").wait_for()
    complaints.clear()
    look(page, complaints)
