"""Make services what a file says: shows what would change, asks, and then changes all of it or nothing."""

import json
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from apikeys.management import manifests, plans
from apikeys.management.base import ANSWER_IS_NO, NOT_BEGUN, KeyCommand, actor
from apikeys.management.manifests import Manifest, ManifestRefusedError
from apikeys.management.output import add_output_arguments, as_facts
from apikeys.management.plans import Plan
from mlflow_proxy import conf
from mlflow_proxy.administration import WorkspaceNotCreatedError, ensure_workspace

STANDARD_INPUT = "-"


class Command(KeyCommand):
    help = "Make services what a file of export_config says. Services that are not in it stay as they are."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("file", help="YAML, or - for standard input")
        parser.add_argument(
            "--dry-run", action="store_true", help="change nothing: 0 nothing differs, 3 something does"
        )
        parser.add_argument("--yes", action="store_true", help="do not ask before changing")
        add_output_arguments(parser, quiet="print nothing; needs --yes or --dry-run")

    def handle(self, *args: Any, **options: Any) -> None:
        plan = plans.make_plan(self.read(options["file"]))
        if plan.workspaces and not conf.has_workspaces():
            raise CommandError(
                "HOKUSAI_WORKSPACES is false: this MLflow runs without workspaces.", returncode=NOT_BEGUN
            )
        plans.try_out(plan, actor=actor())
        is_silent = options["as_json"] or options["quiet"]
        if not is_silent:
            self.stdout.write(as_text(plan))
        is_wanted = bool(plan.services) and not options["dry_run"]
        if is_wanted:
            self.confirm(can_ask=not is_silent and options["file"] != STANDARD_INPUT, is_agreed=options["yes"])
            self.carry_out(plan)
        self.say(options, as_document(plan, is_applied=is_wanted), "Done." if is_wanted else "Nothing was changed.")
        if plan.services and options["dry_run"]:
            raise CommandError("The services differ from the file.", returncode=ANSWER_IS_NO)

    def read(self, name: str) -> Manifest:
        try:
            text = sys.stdin.read() if name == STANDARD_INPUT else Path(name).read_text(encoding="utf-8")
            return manifests.parse(text)
        except (OSError, UnicodeError) as error:
            told = getattr(error, "strerror", "") or "it is not UTF-8"
            raise CommandError(f"The file cannot be read: {told}.", returncode=NOT_BEGUN) from None
        except ManifestRefusedError as error:
            raise CommandError(f"The file is refused: {error}.", returncode=NOT_BEGUN) from None

    def confirm(self, *, can_ask: bool, is_agreed: bool) -> None:
        if is_agreed:
            return
        if not (can_ask and sys.stdin.isatty()):
            raise CommandError("Nobody is here to ask: say --yes to change it.", returncode=NOT_BEGUN)
        if input("Change it? [y/N] ").strip().lower() not in {"y", "yes"}:
            raise CommandError("Nothing was changed.")

    def carry_out(self, plan: Plan) -> None:
        # Pinned only to what exists: otherwise every call of the service would fail.
        try:
            for name in plan.workspaces:
                ensure_workspace(name)
        except WorkspaceNotCreatedError as error:
            raise CommandError(str(error)) from None
        plans.carry_out(plan, actor=actor())


def as_text(plan: Plan) -> str:
    """Return the plan as people read it: + new, ~ changed, with what each field is and becomes."""
    lines = []
    for one in plan.services:
        lines.append(f"{'+' if one.is_new else '~'} service {one.service_id}")
        changes = {name: f"{_shown(before)} → {_shown(after)}" for name, (before, after) in one.fields.items()}
        lines += [as_facts(changes)] if changes else []
    new = sum(one.is_new for one in plan.services)
    left = f"; not in the file, and left alone: {', '.join(plan.left_out)}" if plan.left_out else ""
    lines.append(f"{new} to register, {len(plan.services) - new} to change, {plan.unchanged} as in the file{left}.")
    return "\n".join(lines)


def as_document(plan: Plan, *, is_applied: bool) -> dict[str, Any]:
    """Return the plan as programs read it."""
    changes = [
        {
            "service_id": one.service_id,
            "is_new": one.is_new,
            "fields": {name: {"before": before, "after": after} for name, (before, after) in one.fields.items()},
        }
        for one in plan.services
    ]
    return {"is_applied": is_applied, "changes": changes, "unchanged": plan.unchanged, "left_out": plan.left_out}


def _shown(fact: Any) -> str:
    if isinstance(fact, list):
        return " ".join(fact) or "none"
    return "none" if fact is None else json.dumps(fact, ensure_ascii=False)
