"""Rotate a key on the command line; the rules are those of apikeys.actions."""

import datetime
from typing import Any

from apikeys import actions
from apikeys.management.base import KeyCommand, actor, find_key, refuse_env_without_address


class Command(KeyCommand):
    help = "Replace a key: print its successor once, and let the old one work until the grace ends."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("key", help="public id, as list_keys shows it")
        parser.add_argument(
            "--grace-seconds",
            type=int,
            default=86400,
            metavar="N",
            help="how long the old key works on (default: %(default)s)",
        )
        self.add_output_arguments(parser, quiet="print the new key alone", env="print export lines for a shell")

    def handle(self, *args: Any, **options: Any) -> None:
        refuse_env_without_address(options)
        old = find_key(options["key"])
        issued = actions.rotate_key(key=old, grace=datetime.timedelta(seconds=options["grace_seconds"]), actor=actor())
        old.refresh_from_db()
        self.print_issued(issued, options, replaces=old.public_id, old_key_ends=old.expires_at)
