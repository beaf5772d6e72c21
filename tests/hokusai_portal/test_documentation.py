"""The schema, its page and the page of errors."""

import json

import pytest
import yaml
from django.urls import reverse

from apikeys.api.meanings import MEANINGS
from hokusai_portal import documentation, env

SNAPSHOT = env.BASE_DIR / "docs/openapi.json"


def test_schema_is_the_committed_one():
    """After a change: manage.py spectacular --format openapi-json --file docs/openapi.json, and read the difference."""
    assert json.loads(SNAPSHOT.read_text()) == json.loads(json.dumps(documentation.schema()))


def test_schema_is_generated_without_a_warning(capsys):
    documentation.schema.cache_clear()
    documentation.schema()
    assert "Warning" not in capsys.readouterr().err


def test_schema_is_told_as_json_and_as_yaml(staff):
    plain = staff.get("/api/schema/")
    assert plain["Content-Type"].startswith("application/json")
    asked = staff.get("/api/schema", headers={"Accept": "application/vnd.oai.openapi"})
    assert yaml.safe_load(asked.content) == plain.json() == json.loads(SNAPSHOT.read_text())


def test_every_operation_tells_its_problems(staff):
    for path, operations in documentation.schema()["paths"].items():
        for method, operation in operations.items():
            assert {"400", "401", "403", "429", "503"} <= operation["responses"].keys(), (method, path)
            assert operation["description"], (method, path)


def test_text_that_may_be_blank_has_one_reading():
    """Two would both hold for a blank one, which ``oneOf`` forbids."""
    assert '"oneOf": [' not in SNAPSHOT.read_text()


def test_page_of_the_api_has_no_inline_script_or_style(staff):
    page = staff.get("/api/docs/", headers={"Accept": "text/html"})
    assert page.status_code == 200
    assert "unsafe" not in page["Content-Security-Policy"]
    assert b"swagger-ui-bundle" in page.content


def test_page_of_the_api_leads_a_stranger_to_the_login(portal, db):
    page = portal.get("/api/docs/", headers={"Accept": "text/html"})
    assert (page.status_code, page["Location"]) == (302, f"{reverse('admin:login')}?next=/api/docs/")


@pytest.mark.parametrize("reason", MEANINGS)
def test_page_of_errors_has_a_place_for_each_reason(portal, reason):
    assert f'id="{reason}"'.encode() in portal.get("/api/docs/errors").content
