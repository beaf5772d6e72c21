"""docs/scopes.md is what the command prints."""

from io import StringIO
from pathlib import Path

from django.core.management import call_command

PAGE = Path(__file__).resolve().parents[2] / "docs" / "scopes.md"


def test_scopes_page_is_what_list_routes_prints():
    out = StringIO()
    call_command("list_routes", "--markdown", stdout=out, no_color=True)
    assert PAGE.read_text() == out.getvalue(), "write it anew: manage.py list_routes --markdown > docs/scopes.md"
