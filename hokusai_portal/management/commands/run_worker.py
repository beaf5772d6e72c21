"""The background process: checks of storage, sweeps, notices; runs until SIGTERM, or once through with --once."""

import signal
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from hokusai_portal import jobs, pool
from hokusai_portal.worker import Worker, run_now


class Command(BaseCommand):
    help = "Run the periodic jobs until SIGTERM. Start it once or more; each job runs once for all."
    requires_migrations_checks = False

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--once", action="store_true", help="run every job now, in order, and end")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["once"]:
            failed = [job.name for job in jobs.jobs() if not run_now(job)]
            if failed:
                raise CommandError(f"Failed: {', '.join(failed)}. The log lines above say why.")
            return
        # A job that finds no database says so and comes again.
        pool.hurry()
        worker = Worker(jobs.jobs())
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: worker.stop())
        worker.run()
