"""End again what ended since the backup that was restored; the rules are those of apikeys.restoring."""

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from apikeys import restoring
from apikeys.management.base import NOT_BEGUN, KeyCommand, actor


class Command(KeyCommand):
    help = "After a restore, revoke and disable again what lines of the log or of an exported trail say has ended."

    def add_arguments(self, parser: Any) -> None:
        told = "files with a JSON object a line: the portal's log, or the trail exported as JSON Lines; - reads input"
        parser.add_argument("files", nargs="+", help=told)
        self.add_output_arguments(parser, quiet="print nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        events = restoring.read(line for name in options["files"] for line in _lines(name))
        if not events:
            told = "No line tells of a key or service that ended. Is it the log, or the trail as JSON Lines?"
            raise CommandError(told, returncode=NOT_BEGUN)
        done = restoring.end_again(events, actor())
        counts = {word: done[word] for word in ("revoked", "disabled", "already", "unknown")}
        sentence = (
            f"Read until {events[-1].at}. Revoked {done['revoked']}, disabled {done['disabled']}; "
            f"{done['already']} need nothing, {done['unknown']} are younger than the backup and gone with it."
        )
        self.say(options, {"read_until": events[-1].at, **counts}, sentence)


def _lines(name: str) -> list[str]:
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise CommandError(f"{name} cannot be read: {error.strerror}.", returncode=NOT_BEGUN) from None
    return text.splitlines()
