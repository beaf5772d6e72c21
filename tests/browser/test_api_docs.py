"""The page of the REST API in a browser: it shows the document, and nothing in it breaks the policy."""

import pytest

pytestmark = [
    pytest.mark.django_db(transaction=True, serialized_rollback=True),
    pytest.mark.timeout(300),
]


def test_page_of_the_api_shows_and_tries_an_operation(page, complaints):
    page.goto("/api/docs/")
    page.get_by_text("/api/v1/whoami").first.click()
    page.get_by_role("button", name="Try it out").first.click()
    page.get_by_role("button", name="Execute").first.click()
    page.get_by_text('"kind": "staff"').first.wait_for()
    assert complaints == []


def test_page_of_the_api_writes_with_the_session_s_token(page, complaints):
    page.goto("/api/docs/")
    reply = page.evaluate(
        """token => fetch("/api/v1/services", {method: "POST", body: JSON.stringify({service_id: "night"}),
           headers: {"Content-Type": "application/json", "X-CSRFToken": token}}).then(reply => reply.status)""",
        page.locator("#rest-api").get_attribute("data-token"),
    )
    assert reply == 201
    assert complaints == []
