"""docs/ui.md tells what the code does: permissions and scopes, the interface's own rows, its security policy."""

from apikeys.models import Service
from mlflow_proxy.ui import pages, rights, routes
from tests.docs.documents import rows, sections, text

SECTIONS = sections("docs/ui.md")


def table(heading, first):
    """The rows of the table of a section that begins with this cell, each as written."""
    lines = [line.strip("| ").split(" | ") for line in SECTIONS[heading].splitlines() if line.startswith("| ")]
    begins = next(number for number, line in enumerate(lines) if line[0] == first)
    return lines[begins + 1 :]


def test_permission_has_a_row_with_its_scopes():
    told = {name: cells[0].replace("`", "").split() for name, cells in rows(SECTIONS["Who may"]).items()}
    assert told[rights.VIEW] == list(rights.SCOPES_TO_VIEW)
    assert told[rights.EDIT] == list(rights.SCOPES_TO_EDIT)


def test_permissions_are_those_of_the_model():
    assert {f"apikeys.{codename}" for codename, _ in Service._meta.permissions} >= {rights.VIEW, rights.EDIT}


def test_every_row_of_the_interface_is_told():
    told = [(method, path.strip("`"), who) for method, path, who in table("What the interface asks for", "method")]
    assert told == [
        (row.method, row.template, "the portal" if row.resource in routes.OWN else "MLflow") for row in routes.ROUTES
    ]


def test_policy_is_told():
    told = {line[0].strip("`"): line[1].strip("`") for line in table("What a browser may do", "directive")}
    assert told == pages.POLICY


def test_variable_of_the_second_host_is_told():
    assert "HOKUSAI_UI_HOST=" in text("docs/ui.md")
