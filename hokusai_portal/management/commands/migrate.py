"""Django's migrate, for a database that others use: waits a while for it, and never long for a lock in it.

A change of a table that waits for a lock holds up everybody who comes after it. So it gives up after two seconds, and
comes again. A migration that gave up has changed nothing.
"""

import time
from collections.abc import Callable
from typing import Any

from django.core.management.base import CommandError
from django.core.management.commands import migrate
from django.db import OperationalError, connections

from hokusai_portal import pool

LOCK_TIMEOUT = "2s"
ATTEMPTS, PAUSE_SECONDS = 5, 3.0
DATABASE_PATIENCE_SECONDS = 30.0
LOCK_NOT_AVAILABLE = "55P03"


class Command(migrate.Command):
    """``manage.py migrate``, with the same arguments."""

    # Django's own would ask the database before it is known to answer.
    requires_migrations_checks = False

    def execute(self, *args: Any, **options: Any) -> str | None:
        # It waits by itself, and says so; the checks that come first ask for a connection already.
        pool.hurry()
        return super().execute(*args, **options)

    def handle(self, *args: Any, **options: Any) -> None:
        connection = connections[options["database"]]
        if connection.vendor != "postgresql":
            super().handle(*args, **options)
            return
        self._wait_for(connection.ensure_connection)
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('lock_timeout', %s, false)", [LOCK_TIMEOUT])
            try:
                self._handle_until_free(*args, **options)
            finally:
                cursor.execute("RESET lock_timeout")

    def _handle_until_free(self, *args: Any, **options: Any) -> None:
        for attempts_left in reversed(range(ATTEMPTS)):
            try:
                super().handle(*args, **options)
            except OperationalError as error:
                if getattr(error.__cause__, "sqlstate", "") != LOCK_NOT_AVAILABLE:
                    raise
                if not attempts_left:
                    raise CommandError(
                        "A table was in use each time, and is not changed. What came before stays. Look for long "
                        "transactions in pg_stat_activity, then run migrate again."
                    ) from None
                self.stderr.write(f"A table is in use: once more in {PAUSE_SECONDS:.0f} s.")
                time.sleep(PAUSE_SECONDS)
            else:
                return

    def _wait_for(self, connect: Callable[[], None]) -> None:
        ends_at = time.monotonic() + DATABASE_PATIENCE_SECONDS
        while True:
            try:
                connect()
            except OperationalError as error:
                if time.monotonic() >= ends_at:
                    reason = str(error).strip().splitlines()[0] if str(error).strip() else "no reason given"
                    hint = f"no answer for {DATABASE_PATIENCE_SECONDS:.0f} s: {reason}"
                    raise CommandError(f"The database of DATABASE_URL gives {hint}") from None
                self.stderr.write("Waiting for the database …")
                time.sleep(1)
            else:
                return
