"""The admin as a person uses it: sign in, register, issue, copy, rotate, find, revoke; with mouse, keys, no script."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from apikeys.authentication import verify
from apikeys.credentials import CredentialRefusedError
from apikeys.models import ApiKey, AuditEvent, Service

pytestmark = [
    pytest.mark.django_db(transaction=True, serialized_rollback=True),
    pytest.mark.timeout(300),
]
SECRET = re.compile(r"hk_live_[0-9A-Za-z]{52}")


@pytest.fixture(autouse=True)
def _no_complaint(complaints):
    yield
    assert complaints == []


def field(page, label):
    return (
        page.get_by_label(re.compile(rf"^{label}"), exact=True)
        .and_(page.locator(":not([type=radio], [type=checkbox])"))
        .first
    )


def choice(page, word):
    return page.get_by_role("radio", name=re.compile(rf"^{word}"))


def issue(page, name="ci", service="platform"):
    """Fill the form in and send it; return the secret that is shown."""
    page.goto("/admin/apikeys/apikey/add/")
    field(page, "Service").select_option(label=service)
    field(page, "Name").fill(name)
    choice(page, "contributor").check()
    page.get_by_role("button", name="Issue the key").click()
    return page.locator("[data-secret]").first.inner_text()


def test_person_signs_in_and_out(open_page, root):
    page = open_page()
    page.goto("/admin/apikeys/apikey/")
    field(page, "Username").fill("root")
    field(page, "Password").fill("correct horse battery")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="API keys", exact=True).wait_for()
    page.get_by_role("button", name="Log out").click()
    page.get_by_text("Log in again").wait_for()
    page.goto("/admin/")
    page.get_by_role("heading", name="Sign in").wait_for()


def test_person_registers_a_service_issues_uses_rotates_and_revokes_a_key(page):
    page.goto("/admin/")
    page.get_by_role("link", name="Register a service").click()
    field(page, "Service id").fill("nightly-training")
    field(page, "Owner").fill("Ranking")
    page.get_by_role("button", name="Register").click()
    page.get_by_role("heading", name="nightly-training").wait_for()

    page.get_by_role("link", name="Issue a key").click()
    field(page, "Name").fill("night run")
    choice(page, "contributor").check()
    page.get_by_role("button", name="Issue the key").click()
    secret = page.locator("[data-secret]").first.inner_text()
    row = verify(secret)
    assert (row.name, row.service.service_id) == ("night run", "nightly-training")

    page.get_by_role("link", name="to the key").click()
    page.get_by_role("link", name="Rotate").click()
    choice(page, "1 hour").check()
    page.get_by_role("button", name="Rotate").click()
    successor = page.locator("[data-secret]").first.inner_text()
    assert verify(successor).predecessor == row
    page.get_by_role("link", name="see who still uses the old one").click()
    page.get_by_text("The old key works on").wait_for()

    page.get_by_role("link", name="End it now").click()
    field(page, "Reason").fill("nobody uses it")
    page.get_by_role("button", name="Revoke").click()
    page.get_by_text("is revoked.").wait_for()
    with pytest.raises(CredentialRefusedError):
        verify(secret)
    assert verify(successor).name == "night run"
    assert AuditEvent.objects.filter(actor="root", action="api_key_revoked", reason="nobody uses it").exists()


def test_secret_is_copied_with_one_click(page, live_server):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=live_server.url)
    secret = issue(page)
    page.get_by_role("button", name="Copy").first.click()
    page.get_by_text("Copied.").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == secret


def test_secret_is_selected_where_the_clipboard_is_out_of_reach(page):
    secret = issue(page)
    page.evaluate("void (navigator.clipboard.writeText = () => Promise.reject())")
    page.get_by_role("button", name="Copy").first.click()
    page.get_by_text("Selected").wait_for()
    assert page.evaluate("getSelection().toString()") == secret


def test_secret_is_saved_as_a_file_made_in_the_browser(page, live_server):
    secret = issue(page)
    with page.expect_download() as saved:
        page.get_by_role("button", name="Download").click()
    text = Path(saved.value.path()).read_text()
    assert saved.value.suggested_filename == "hokusai.env"
    assert f"MLFLOW_TRACKING_TOKEN={secret}\n" in text
    assert f"MLFLOW_TRACKING_URI={live_server.url}/api/mlflow\n" in text


def test_show_once_reload_shows_no_secret_and_makes_no_key(page):
    secret = issue(page)
    page.reload()
    page.get_by_role("heading", name="sent before").wait_for()
    assert secret[20:] not in page.content()
    assert ApiKey.objects.count() == 1


def test_show_once_back_button_shows_no_secret(page, complaints):
    secret = issue(page)
    page.get_by_role("link", name="to the key").click()
    page.wait_for_url("**/apikeys/apikey/*/")
    with page.expect_event("framenavigated"):
        # Later, so that the page that is asked is still there to answer.
        page.evaluate("void setTimeout(() => history.back())")
    page.wait_for_load_state()
    assert secret[20:] not in page.content()
    assert ApiKey.objects.count() == 1
    # Chromium asks before it sends a form anew, and says in its console that it kept no copy.
    complaints[:] = [text for text in complaints if "ERR_CACHE_MISS" not in text]


def test_show_once_double_click_makes_one_key(page):
    page.goto("/admin/apikeys/apikey/add/")
    field(page, "Service").select_option(label="platform")
    field(page, "Name").fill("ci")
    choice(page, "reader").check()
    with page.expect_event("requestfinished", lambda request: request.method == "POST"):
        page.get_by_role("button", name="Issue the key").dblclick()
    page.wait_for_load_state("networkidle")
    assert ApiKey.objects.count() == 1


def test_show_once_secret_is_in_no_address_and_no_storage_of_the_browser(page):
    secret = issue(page)
    kept = page.evaluate("JSON.stringify([localStorage, sessionStorage, document.cookie, location.href])")
    assert secret[20:] not in kept
    assert secret[20:] not in str(page.context.cookies())


def test_whole_key_is_found_by_pasting_it(page):
    secret = issue(page, name="needle")
    page.goto("/admin/apikeys/apikey/")
    page.get_by_text("Find a whole key").click()
    field(page, "Paste it").fill(secret)
    page.get_by_role("button", name="Find").click()
    page.get_by_text("its secret is right").wait_for()
    page.get_by_role("heading", name="needle").wait_for()
    assert secret[20:] not in page.url + page.content()


def test_list_is_filtered_and_many_keys_are_revoked_at_once(page, rows):
    page.goto("/admin/apikeys/apikey/")
    page.get_by_text("Status: any").click()
    page.get_by_role("link", name="Active").click()
    page.get_by_text("Status: Active").wait_for()
    boxes = page.locator("input.action-select")
    expect(boxes).to_have_count(2)
    for box in boxes.all():
        box.check()
    page.get_by_label("Action:").select_option(label="Revoke …")
    page.get_by_role("button", name="Run").click()
    field(page, "Reason").fill("moving house")
    page.get_by_role("button", name="Revoke 2").click()
    expect(page.locator(".chip-done")).to_have_count(2)


def test_service_is_edited_and_paused(page, rows):
    page.goto(f"/admin/apikeys/service/{rows['service'].pk}/")
    page.get_by_role("link", name="Edit").click()
    field(page, "Owner").fill("Ranking")
    choice(page, "reader").check()
    page.get_by_role("button", name="Save").click()
    page.get_by_text("is saved").wait_for()
    page.get_by_role("link", name="Disable").click()
    field(page, "Reason").fill("holiday")
    page.get_by_role("button", name="Disable").click()
    page.get_by_text("Disabled since").wait_for()
    service = Service.objects.get(service_id="batch")
    assert (service.owner, service.disabled_reason) == ("Ranking", "holiday")
    assert service.default_scopes == ["artifact:read", "mlflow:read", "model:read"]


def test_trail_is_narrowed_down_read_and_exported(page, rows):
    page.goto("/admin/apikeys/auditevent/")
    field(page, "Action").select_option(label="Key revoked")
    page.get_by_role("button", name="Apply").click()
    # The list before it has the same link.
    page.wait_for_url(re.compile(r"[?&]action="))
    page.get_by_role("link", name="Key revoked").click()
    page.get_by_role("heading", name="Key revoked").wait_for()
    page.go_back()
    with page.expect_download() as saved:
        page.get_by_role("button", name="Export CSV").click()
    lines = Path(saved.value.path()).read_text().splitlines()
    assert len(lines) == 2
    assert '"lost"' in lines[1]


def test_key_is_issued_by_keyboard_alone(page):
    page.goto("/admin/apikeys/apikey/add/")
    field(page, "Service").focus()
    page.keyboard.type("platform")
    page.keyboard.press("Tab")
    page.keyboard.type("typed")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert verify(page.locator("[data-secret]").first.inner_text()).name == "typed"


def test_first_stop_of_the_keyboard_skips_to_the_content(page):
    page.goto("/admin/apikeys/apikey/")
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to main content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#content-start")).to_be_focused()


def test_without_script_a_key_is_issued_found_and_revoked(open_page, root):
    page = open_page(root, java_script_enabled=False)
    secret = issue(page)
    assert verify(secret).name == "ci"
    assert not page.get_by_role("button", name="Copy").first.is_visible()
    page.goto("/admin/apikeys/apikey/find/")
    field(page, "The whole key").fill(secret)
    page.get_by_role("button", name="Find").click()
    page.get_by_role("link", name="Revoke").click()
    field(page, "Reason").fill("done")
    page.get_by_role("button", name="Revoke").click()
    page.get_by_text("is revoked.").wait_for()
    assert ApiKey.objects.get().revoked_reason == "done"


def test_theme_is_switched_and_kept(page):
    page.goto("/admin/")
    ground = "getComputedStyle(document.body).backgroundColor"
    before = page.evaluate(ground)
    page.locator(".theme-toggle").first.click()
    page.goto("/admin/apikeys/apikey/")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert page.evaluate(ground) != before
