"""The command that prints the route table."""

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from apikeys import scopes
from mlflow_proxy import denied, routes


def run(*words: str) -> str:
    out = StringIO()
    call_command("list_routes", *words, stdout=out, no_color=True)
    return out.getvalue()


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run("--json"))
    return found


def test_list_routes_json_has_one_row_a_handler(document: dict[str, Any]) -> None:
    operations = [(row["method"], row["path"]) for row in document["routes"]]
    assert len(operations) == len(set(operations)) == len({row.operation for row in routes.ROUTES})
    assert document["mlflow"] == routes.MLFLOW_SERIES


def test_list_routes_json_row_says_the_scope_of_the_table(document: dict[str, Any]) -> None:
    rows = {(row["method"], row["path"]): row for row in document["routes"]}
    assert rows["POST", "{api,ajax-api}/2.0/mlflow/runs/create"]["scope"] == "mlflow:write"
    assert rows["GET", "version"]["scope"] == "any valid key"
    assert rows["GET", "get-artifact"]["traffic"] == "transfer"


def test_list_routes_every_row_of_the_table_is_listed(document: dict[str, Any]) -> None:
    listed = {
        (row["method"], row["path"].replace("{api,ajax-api}", form))
        for row in document["routes"]
        for form in ("api", "ajax-api")
    }
    assert {(row.method, row.template) for row in routes.ROUTES} <= listed


def test_list_routes_plain_is_a_table() -> None:
    lines = run().splitlines()
    assert lines[0].split() == ["METHOD", "PATH", "SCOPE", "RESOURCE", "TRAFFIC"]
    assert len(lines) == 1 + len({row.operation for row in routes.ROUTES})


@pytest.mark.parametrize("word", [*scopes.ALL, *scopes.PRESETS])
def test_list_routes_markdown_names_every_scope_and_preset(word: str) -> None:
    assert word in run("--markdown")


@pytest.mark.parametrize("path", [path for path in denied.REASONS if path])
def test_list_routes_markdown_names_every_denial(path: str) -> None:
    assert f"| `{path}` |" in run("--markdown")


def test_list_routes_needs_no_database() -> None:
    """It is asked for before anything is migrated; without the mark of pytest-django a query fails this test."""
    assert run("--json")


def test_list_routes_two_forms_at_once_are_refused() -> None:
    with pytest.raises(CommandError):
        run("--json", "--markdown")
