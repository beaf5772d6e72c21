"""One SELECT that PostgreSQL knows by name: asked now, answered later, on a lent connection; knows no table."""

from contextlib import suppress
from typing import Any
from weakref import WeakSet

import psycopg
import structlog
from psycopg import errors, generators
from psycopg.adapt import Transformer
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGresult

log = structlog.get_logger(__name__)

NAME = b"hokusai_call"
# SQLSTATEs: a migration has changed a column since; or the statement is unknown, or known already, where a pooler
# hands every transaction another connection.
PLAN_OUTDATED, POOLED_APART = "0A000", ("26000", "42P05")
GOOD = (ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK)


class Statement:
    """A query of one text parameter, written ``%s``, which is parsed and planned once a connection.

    psycopg's cursor asks and waits in one step, and takes a third of such a query's time.
    """

    def __init__(self, sql: str) -> None:
        self._sql = sql.replace("%s", "$1").replace("%%", "%").encode()
        self._knowing: WeakSet[Any] = WeakSet()
        self._is_preparing = True

    def ask(self, lent: Any, value: str) -> None:
        """Send the query; raises psycopg.Error."""
        if not self._is_preparing:
            lent.pgconn.send_query_params(self._sql, [value.encode()])
            return
        if lent not in self._knowing:
            lent.pgconn.send_prepare(NAME, self._sql)
            _result(lent)
            self._knowing.add(lent)
        lent.pgconn.send_query_prepared(NAME, [value.encode()])

    def answer(self, lent: Any) -> tuple[Any, ...] | None:
        """Return the first row of the answer, None where there is no row; raises psycopg.Error."""
        result = _result(lent)
        if not result.ntuples:
            return None
        reader = Transformer(lent)
        reader.set_pgresult(result)
        return reader.load_row(0, tuple)

    def recover(self, lent: Any, error: Exception) -> None:
        """Make ready to ask again after an error that says nothing of the query; raises every other."""
        state = getattr(error, "sqlstate", None)
        if state in POOLED_APART:
            self._is_preparing = False
            log.warning("statement_unprepared", sqlstate=state)
        elif state == PLAN_OUTDATED:
            lent.execute("DEALLOCATE ALL")
            self._knowing.discard(lent)
        else:
            raise error


class Question:
    """A statement under way on a connection that the pool lends for it alone: the database works, the caller goes on.

    Making one raises nothing; ``answer`` does. One whose answer nobody wants has to be dropped.
    """

    def __init__(self, statement: Statement, pool: Any, value: str) -> None:
        self._statement, self._pool, self._value = statement, pool, value
        self._lent, self._error = None, None
        try:
            pool.open()
            self._lent = pool.getconn()
            statement.ask(self._lent, value)
        except psycopg.Error as error:
            self._error = error

    def answer(self) -> tuple[Any, ...] | None:
        """Return the first row, None where there is none, and the connection to its pool; raises psycopg.Error."""
        lent, self._lent = self._lent, None
        try:
            return self._answer(lent)
        finally:
            if lent is not None:
                self._pool.putconn(lent)

    def drop(self) -> None:
        """Give the connection back, if it is still held, and never mind the answer."""
        if self._lent is not None:
            # A connection that goes back in the middle of a query would be closed.
            with suppress(psycopg.Error):
                self.answer()

    def _answer(self, lent: Any) -> tuple[Any, ...] | None:
        try:
            if self._error is not None:
                raise self._error
            return self._statement.answer(lent)
        except psycopg.Error as error:
            if lent is None:
                raise
            self._statement.recover(lent, error)
            self._statement.ask(lent, self._value)
            return self._statement.answer(lent)


def _result(lent: Any) -> PGresult:
    result: PGresult = lent.wait(generators.execute(lent.pgconn))[-1]
    if result.status not in GOOD:
        raise errors.error_from_result(result, encoding="utf-8")
    return result
