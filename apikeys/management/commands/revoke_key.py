"""Revoke a key on the command line; the rules are those of apikeys.actions."""

from typing import Any

from apikeys import actions
from apikeys.management.base import KeyCommand, actor, describe, find_key


class Command(KeyCommand):
    help = "End a key for good, effective on its next request."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("key", help="public id, as list_keys shows it")
        parser.add_argument("--reason", required=True, help="why, for the audit trail")
        self.add_output_arguments(parser, quiet="print nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        row = actions.revoke_key(key=find_key(options["key"]), reason=options["reason"], actor=actor())
        sentence = f"Key {row} of service {row.service} is revoked: every worker refuses it from now on."
        self.say(options, describe(row), sentence)
