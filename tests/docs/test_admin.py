"""docs/admin.md has one row for each status of a key, each action of the audit trail and each group of staff."""

import re

from apikeys import statuses
from apikeys.admin.audit_filters import ACTIONS
from apikeys.migrations import __name__ as migrations
from tests.docs.documents import ROOT, rows, sections, text

SECTIONS = sections("docs/admin.md")
ROLES = __import__(f"{migrations}.0006_roles", fromlist=["ROLES"]).ROLES


def words(section, heading):
    """The words of a table's first column, several in a cell included."""
    found = [word for cell in rows(SECTIONS[section]) for word in re.findall(r"[\w -]+", cell.replace("`", ""))]
    return {word.strip() for word in found} - {heading, "---"}


def test_status_has_a_row_with_its_meaning():
    told = {word: cells[0] for word, cells in rows(SECTIONS["Keys"]).items() if word not in {"status", "---"}}
    assert told == dict(statuses.DESCRIPTIONS)


def test_action_of_the_trail_has_a_row():
    assert words("The audit trail", "action") == set(ACTIONS)


def test_group_has_a_row():
    assert words("Who may do what", "group") == set(ROLES)


def test_pictures_are_small_and_shown():
    pages = text("docs/admin.md") + text("docs/performance.md")
    for path in (ROOT / "docs/img").iterdir():
        assert path.stat().st_size < 150_000, path.name
        assert f"img/{path.name}" in pages
