"""The connection to PostgreSQL that gives up when an answer takes too long; decides not when that is."""

from typing import Any

import psycopg
from psycopg.errors import _WaitTimeout

from apikeys import patience


class ImpatientConnection(psycopg.Connection[Any]):
    """A connection that is closed, and raises OperationalError, where an answer takes longer than the patience."""

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """Wait for an answer, as psycopg does, but not for ever."""
        limit = timeout if timeout is not None else patience.seconds()
        try:
            return super().wait(gen, interval, limit)
        except _WaitTimeout:
            if timeout is None:
                # Nobody knows what it will still say.
                self.pgconn.finish()
                raise psycopg.OperationalError(f"no answer within {limit} s") from None
            raise
