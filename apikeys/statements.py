"""One SELECT that PostgreSQL knows by name: asked now, answered later, on a lent connection; knows no table."""

import itertools
from typing import Any
from weakref import WeakSet

import psycopg
import structlog
from psycopg import errors, generators
from psycopg.adapt import Transformer
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGresult

log = structlog.get_logger(__name__)

# SQLSTATEs of a statement that is not what it was: a migration has changed a column since; or it is unknown, or known
# already, where a pooler hands every transaction another connection.
LOST = ("0A000", "26000", "42P05")
GOOD = (ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK)
_numbers = itertools.count(1)


class Statement:
    """A query of one text parameter, written ``%s``, which is parsed and planned once a connection.

    psycopg's cursor asks and waits in one step, and takes a third of such a query's time.
    """

    def __init__(self, sql: str) -> None:
        self._sql = sql.replace("%s", "$1").replace("%%", "%").encode()
        # Two threads may make one each, and meet on a connection.
        self._name = b"hokusai_%d" % next(_numbers)
        self._knowing: WeakSet[Any] = WeakSet()
        self._is_preparing = True

    def ask(self, lent: Any, value: str) -> None:
        """Send the query; raises psycopg.Error."""
        if not self._is_preparing:
            lent.pgconn.send_query_params(self._sql, [value.encode()])
            return
        if lent not in self._knowing:
            lent.pgconn.send_prepare(self._name, self._sql)
            _result(lent)
            self._knowing.add(lent)
        lent.pgconn.send_query_prepared(self._name, [value.encode()])

    def answer(self, lent: Any) -> tuple[Any, ...] | None:
        """Return the first row of the answer, None where there is no row; raises psycopg.Error."""
        result = _result(lent)
        if not result.ntuples:
            return None
        reader = Transformer(lent)
        reader.set_pgresult(result)
        return reader.load_row(0, tuple)

    def go_on_after(self, error: psycopg.Error) -> None:
        """Prepare no more where an error says that it does not help; raises every other."""
        if error.sqlstate not in LOST:
            raise error
        self._is_preparing = False
        log.warning("statement_unprepared", sqlstate=error.sqlstate)


class Question:
    """A statement under way on a connection that the pool lends for it alone: the database works, the caller goes on.

    What the database says against it is raised by ``answer``, which has to be called: it gives the connection back.
    """

    def __init__(self, statement: Statement, pool: Any, value: str) -> None:
        self._statement, self._pool, self._value = statement, pool, value
        self._lent: Any = None
        self._error: psycopg.Error | None = None
        try:
            pool.open()
            self._lent = pool.getconn()
            statement.ask(self._lent, value)
        except psycopg.Error as error:
            self._error = error
        except BaseException:
            self._give_back()
            raise

    @property
    def is_open(self) -> bool:
        """Whether a connection is held."""
        return self._lent is not None

    def answer(self) -> tuple[Any, ...] | None:
        """Return the first row, None where there is none; raises psycopg.Error."""
        try:
            return self._answer()
        finally:
            self._give_back()

    def _answer(self) -> tuple[Any, ...] | None:
        try:
            if self._error is not None:
                raise self._error
            return self._statement.answer(self._lent)
        except psycopg.Error as error:
            self._statement.go_on_after(error)
        self._statement.ask(self._lent, self._value)
        return self._statement.answer(self._lent)

    def _give_back(self) -> None:
        lent, self._lent = self._lent, None
        if lent is not None:
            self._pool.putconn(lent)


def _result(lent: Any) -> PGresult:
    results: list[PGresult] = lent.wait(generators.execute(lent.pgconn))
    if not results:
        raise psycopg.InternalError("no answer")
    if results[0].status not in GOOD:
        raise errors.error_from_result(results[0])
    return results[0]
