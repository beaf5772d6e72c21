"""List keys on the command line: public facts only."""

from typing import Any

from apikeys.management.base import KeyCommand, describe, described, find_service
from apikeys.management.output import as_json, as_table
from apikeys.models import ApiKey


class Command(KeyCommand):
    help = "List API keys, newest first. Secrets are not stored and cannot be shown."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--service", help="only this service's keys")
        parser.add_argument(
            "--all", action="store_true", dest="with_ended", help="those that have ended or are paused, too"
        )
        self.add_output_arguments(parser, quiet="print the public ids alone")

    def handle(self, *args: Any, **options: Any) -> None:
        rows = described() if options["with_ended"] else described().usable()
        if options["service"]:
            rows = rows.filter(service=find_service(options["service"]))
        if options["as_json"]:
            self.stdout.write(as_json([describe(row) for row in rows]))
        elif options["quiet"]:
            self.stdout.write("\n".join(row.public_id for row in rows))
        elif rows:
            headings = ("KEY", "SERVICE", "NAME", "STATUS", "EXPIRES", "LAST USED", "SCOPES")
            cells = [
                (row, row.service, row.name, status(row), row.expires_at, row.last_used_at, row.scopes) for row in rows
            ]
            self.stdout.write(as_table(headings, cells))
        else:
            self.stdout.write("No keys. Next: manage.py issue_key --name NAME --preset contributor")


def status(row: ApiKey) -> str:
    """Return the word for the row's condition; needs the annotation of ``with_status``."""
    word: str = row.status  # type: ignore[attr-defined]
    return word
