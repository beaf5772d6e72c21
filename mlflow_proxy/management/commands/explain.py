"""Say whether a key would be let through with a call, and why; the view that serves real calls decides."""

from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError

from apikeys import addresses, scopes
from apikeys.management.base import ANSWER_IS_NO, NOT_BEGUN, KeyCommand, find_key
from apikeys.management.output import as_facts, as_json
from apikeys.redaction import redact_keys
from mlflow_proxy.explanations import Explanation, NotProxiedError, explain


class Command(KeyCommand):
    help = "Say whether a key would be let through with a call, and why: 0 it would, 3 it would not."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("key", help="public id, as list_keys shows it")
        parser.add_argument("method", help="GET, POST, …")
        parser.add_argument("path", help="as a client sends it: /api/mlflow/api/2.0/…")
        parser.add_argument("--address", help="judge the key's networks for this address, too")
        self.add_output_arguments(parser, quiet="print nothing: the exit status tells")

    def handle(self, *args: Any, **options: Any) -> None:
        told = self.explained(**{word: options[word] for word in ("key", "method", "path", "address")})
        if options["as_json"]:
            # The key is a public id by now; a path may hold what somebody pasted.
            asked = {"key_id": options["key"], "method": options["method"], "path": redact_keys(options["path"])}
            self.stdout.write(as_json({**asked, "address": options["address"], **asdict(told)}))
        elif not options["quiet"]:
            self.show(told)
        if not told.is_allowed:
            raise CommandError(f"{told.status} {told.reason}: {told.detail}", returncode=ANSWER_IS_NO)

    def explained(self, *, key: str, method: str, path: str, address: str | None) -> Explanation:
        if address is not None and not addresses.is_in(address, ["0.0.0.0/0", "::/0"]):
            raise CommandError("--address must be an IP address.", returncode=NOT_BEGUN)
        try:
            return explain(find_key(key), method, path, address=address)
        except NotProxiedError as error:
            raise CommandError(str(error), returncode=NOT_BEGUN) from None

    def show(self, told: Explanation) -> None:
        self.stdout.write(f"Allowed. {told.detail}" if told.is_allowed else "Refused.")
        facts = {
            "operation": told.operation,
            "needs": told.required_scope or ("any valid key" if told.operation else ""),
            "holds": told.held_scopes,
            "opened by": told.granted_by,
            "workspace": told.workspace or "MLflow's default one",
            "not judged": told.not_judged,
        }
        self.stdout.write(as_facts(facts))
        if told.reason == "SCOPE_MISSING" and told.required_scope:
            fitting = [name for name, words in scopes.PRESETS.items() if scopes.grants(words, told.required_scope)]
            self.stdout.write(f"  presets that hold it: {', '.join(fitting) or 'none'}")
        if not told.is_allowed:
            self.stdout.write(f"\nNext: docs/errors.md says what to do for {told.reason}.")
