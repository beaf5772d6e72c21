"""Print the route table: what the portal lets through, and what it denies by name."""

import json
from typing import Any

from django.core.management.base import BaseCommand

from apikeys import scopes
from apikeys.management.output import as_table
from mlflow_proxy import denied, routes


class Command(BaseCommand):
    help = "List the routes that the portal lets through, with the scope that each needs."
    requires_system_checks = ()

    def add_arguments(self, parser: Any) -> None:
        how = parser.add_mutually_exclusive_group()
        how.add_argument("--json", action="store_true", dest="as_json", help="print one JSON document")
        how.add_argument("--markdown", action="store_true", help="print the document of scopes and routes")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["as_json"]:
            self.stdout.write(json.dumps({"mlflow": routes.MLFLOW_SERIES, "routes": rows()}, indent=2))
        elif options["markdown"]:
            self.stdout.write(markdown(), ending="")
        else:
            cells = [[row["method"], row["path"], row["scope"], row["resource"], row["traffic"]] for row in rows()]
            self.stdout.write(as_table(("METHOD", "PATH", "SCOPE", "RESOURCE", "TRAFFIC"), cells))


def rows() -> list[dict[str, str]]:
    """Return one row per handler, its two aliases written once."""
    found: dict[str, dict[str, str]] = {}
    for route in routes.ROUTES:
        row = {
            "method": route.method,
            "path": route.template,
            "scope": route.scope or "any valid key",
            "resource": route.resource,
            "traffic": route.traffic,
        }
        if route.operation in found:
            row["path"] = f"{{api,ajax-api}}/{route.template.split('/', 1)[1]}"
        found[route.operation] = row
    return list(found.values())


def markdown() -> str:
    """Return docs/scopes.md: scopes, presets, routes and denials, generated so that they cannot drift."""
    lines = [
        "# Scopes and routes",
        "",
        "Made by `manage.py list_routes --markdown`; a test keeps it equal to the code.",
        "",
    ]
    lines += ["## Scopes", "", "| scope | lets a key |", "|---|---|"]
    lines += [f"| `{word}` | {what} |" for word, what in scopes.DESCRIPTIONS.items()]
    lines += ["", "`write` implies `read` of its family. Nothing implies `delete` or `admin`. No scope means no right."]
    lines += ["", "## Presets", "", "| preset | scopes |", "|---|---|"]
    lines += [f"| {name} | {' '.join(f'`{word}`' for word in words)} |" for name, words in scopes.PRESETS.items()]
    lines += ["", f"## Routes of MLflow {routes.MLFLOW_SERIES}", ""]
    lines += ["Below each tracking URI. A route that is not here is 404 for every key.", ""]
    lines += ["| method | path | scope | resource | traffic |", "|---|---|---|---|---|"]
    lines += [f"| {r['method']} | `{r['path']}` | {r['scope']} | {r['resource']} | {r['traffic']} |" for r in rows()]
    lines += ["", "## Denied by name", "", "| path | why |", "|---|---|"]
    lines += [f"| `{path or '/'}` | {why} |" for path, why in denied.REASONS.items()]
    return "\n".join(lines) + "\n"
