"""Names that want to be more than names: shown as they are on every page, message and list, and run nowhere."""

import re

import pytest
from django.urls import reverse

from apikeys import actions
from tests.apikeys.admin.conftest import change, listed, page

NAMES = [
    *(
        "=cmd()",
        "+1",
        "@x",
        "\tcmd",
        '"><img src=x onerror=alert(1)>',
        "javascript:alert(1)",
        "<script>alert(1)</script>",
    ),
    *("\u202egnp.exe", "zero\u200bwidth", "{{7*7}}", "{% debug %}", "%s%n%d", "' OR 1=1 --", "<b>bold</b>", "a&b"),
]


@pytest.fixture(params=NAMES, ids=ascii)
def hostile(request, issue, batch, actor):
    """A key of a service, with the name wherever a name can be."""
    name = request.param
    actions.change_service(service=batch, actor=actor, description=name, owner=name, contact=name)
    row = issue(service=batch, name=f"n{name}", note=name).row
    actions.disable_key(key=row, reason=f"r{name}", actor=actor)
    row.hostile_name = name
    return row


def pages(row):
    return [
        *(listed("service"), listed("apikey"), listed("auditevent"), page(row), page(row.service)),
        *(change(row, "revoke"), reverse("admin:apikeys_service_change", args=[row.service.pk])),
        f"{reverse('admin:apikeys_apikey_add')}?service={row.service.pk}",
    ]


def test_hostile_name_is_text_on_every_page(admin, hostile):
    for address in pages(hostile):
        text = admin.get(address).content.decode()
        assert not re.search(r"<(img src=x|script>|b>bold)", text)
        assert "49" not in re.findall(r">n?(\d+)<", text)


def test_hostile_name_is_shown_as_it_is(admin, hostile):
    text = admin.get(page(hostile)).content.decode()
    escaped = hostile.hostile_name.strip().translate({38: "&amp;", 60: "&lt;", 62: "&gt;", 34: "&quot;", 39: "&#x27;"})
    assert escaped in text


def test_hostile_name_is_text_in_messages(admin, hostile):
    response = admin.post(change(hostile, "enable"), {"reason": hostile.hostile_name}, follow=True)
    assert not re.search(r"<(img src=x|script>|b>bold)", response.content.decode())


def test_hostile_name_in_the_search_box_is_text(admin, hostile):
    text = admin.get(listed("apikey"), {"q": hostile.hostile_name}).content.decode()
    assert not re.search(r"<(img src=x|script>|b>bold)", text)


def test_hostile_address_beside_the_admin_is_text(admin):
    response = admin.get('/admin/apikeys/apikey/"><script>alert(1)</script>/', headers={"Accept": "text/html"})
    assert response.status_code == 404
    assert "<script>alert" not in response.content.decode()


@pytest.mark.parametrize("policy", ["default-src 'none'", "script-src 'self'", "style-src 'self'", "base-uri 'none'"])
def test_every_page_forbids_inline_script(admin, reader, policy):
    for address in (listed("apikey"), page(reader.row), "/admin/login/"):
        assert policy in admin.get(address)["Content-Security-Policy"]
