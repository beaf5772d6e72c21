"""End the uploads that nobody will end: those of a killed portal or a caller who never completed."""

import datetime
import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apikeys.management.base import NOT_BEGUN
from apikeys.management.output import add_output_arguments, as_table
from mlflow_proxy import conf
from mlflow_proxy.artifacts import stores
from mlflow_proxy.artifacts.sweeps import sweep
from mlflow_proxy.exceptions import ProxyError


class Command(BaseCommand):
    help = "Remove what unfinished uploads left in the artifact store; never touches an artifact."
    requires_system_checks = ()
    requires_migrations_checks = False

    def add_arguments(self, parser: Any) -> None:
        hours = "only uploads that began longer ago (default: 24); must be longer than the longest upload takes"
        parser.add_argument("--older-than-hours", type=float, default=24, help=hours)
        parser.add_argument("--dry-run", action="store_true", help="show them, remove nothing")
        add_output_arguments(parser, quiet="print nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        if not conf.artifact_destination():
            raise CommandError(
                "HOKUSAI_ARTIFACT_DESTINATION is not set: there is no store to sweep.", returncode=NOT_BEGUN
            )
        if options["older_than_hours"] < 0:
            raise CommandError("--older-than-hours must be 0 or more.", returncode=NOT_BEGUN)
        try:
            swept = sweep(datetime.timedelta(hours=options["older_than_hours"]), is_dry=options["dry_run"])
        except ProxyError as error:
            raise CommandError(f"{error.reason}: {getattr(error, 'hint', '') or error}") from None
        self.report(swept, options)

    def report(self, swept: list[stores.Leftover], options: dict[str, Any]) -> None:
        if options["as_json"]:
            found = [{"path": one.path, "began_at": one.began_at.isoformat()} for one in swept]
            self.stdout.write(json.dumps({"removed": not options["dry_run"], "uploads": found}, indent=2))
            return
        if options["quiet"]:
            return
        if swept:
            self.stdout.write(as_table(("BEGAN", "PATH"), [(one.began_at, one.path) for one in swept]))
        verb = "would be removed" if options["dry_run"] else "removed"
        self.stdout.write(f"{len(swept)} unfinished upload{'' if len(swept) == 1 else 's'} {verb}.")
