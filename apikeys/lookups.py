"""Find a key and its service by public id, in the one query that every call pays for; judges and writes nothing.

The ORM composes its SQL at each call, which costs several times what running it does. Here it composes once a process,
of the columns that calls read, and PostgreSQL parses and plans it once a connection.
"""

import datetime
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import structlog
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model

from apikeys import patience
from apikeys.models import ApiKey, Service

log = structlog.get_logger(__name__)

# Whoever asks the row for another column pays a query more.
KEY_COLUMNS = (
    *("id", "service", "public_id", "digest", "pepper_number", "scopes", "lineage", "rate_limit_per_hour"),
    *("allowed_ips", "expires_at", "revoked_at", "disabled_at"),
)
SERVICE_COLUMNS = ("id", "service_id", "owner", "workspaces", "presigned_urls", "disabled_at")
# SQLSTATEs: a migration has changed a column since; or the statement is unknown, or known already, where a pooler
# hands every transaction another connection.
PLAN_OUTDATED, POOLED_APART = "0A000", ("26000", "42P05")
_is_preparing = True


def find(public_id: str) -> ApiKey | None:
    """Return what ``ApiKey.objects.with_validity().get(public_id=…)`` would, with few columns, or None."""
    database = connections[DEFAULT_DB_ALIAS]
    with patience.within(patience.CALL_SECONDS):
        row = _row(database, public_id)
    if row is None:
        return None
    split = len(KEY_COLUMNS)
    key = _instance(ApiKey, KEY_COLUMNS, row[:split], database)
    key.is_expired = row[split]  # type: ignore[attr-defined]
    key.replaced_at = _moment(row[split + 1], database)  # type: ignore[attr-defined]
    key.service = _instance(Service, SERVICE_COLUMNS, row[split + 2 :], database)
    return key


def _row(database: Any, public_id: str) -> tuple[Any, ...] | None:
    pool = getattr(database, "pool", None)
    if pool is None or database.connection is not None:
        with database.cursor() as cursor:
            return _fetch(cursor, public_id)
    with database.wrap_database_errors, _lent(pool) as lent:
        try:
            return _fetch(_cursor(lent), public_id, prepare=_is_preparing)
        except database.Database.Error as error:
            _recover(lent, error)
            return _fetch(_cursor(lent), public_id, prepare=False)


def _fetch(cursor: Any, public_id: str, **how: bool) -> tuple[Any, ...] | None:
    cursor.execute(_sql(), [public_id], **how)
    row: tuple[Any, ...] | None = cursor.fetchone()
    return row


@contextmanager
def _lent(pool: Any) -> Iterator[Any]:
    """Borrow a connection for one query: making Django's own of it, and giving that back, takes as long again."""
    pool.open()
    lent = pool.getconn()
    try:
        yield lent
    finally:
        pool.putconn(lent)


def _cursor(lent: Any) -> Any:
    """Return a cursor that prepares; Django's writes parameters into the text."""
    import psycopg  # noqa: PLC0415  (SQLite needs none)

    # Django forbids it, for statements whose text never comes again.
    lent.prepare_threshold = 0
    return psycopg.Cursor(lent)


def _recover(lent: Any, error: Exception) -> None:
    """Forget the statement, so that asking again without one helps; raises the error where it would not."""
    global _is_preparing  # noqa: PLW0603
    state = getattr(error, "sqlstate", None)
    if state in POOLED_APART:
        _is_preparing = False
        log.warning("statement_unprepared", sqlstate=state)
    elif state == PLAN_OUTDATED:
        lent.execute("DEALLOCATE ALL")
    else:
        raise error


@cache
def _sql() -> str:
    """Return the query with a placeholder for the id; it selects the key, its two annotations, and the service."""
    columns = (*KEY_COLUMNS, *(f"service__{name}" for name in SERVICE_COLUMNS))
    rows = ApiKey.objects.with_validity().order_by().only(*columns).filter(public_id="")
    sql: str = rows.query.sql_with_params()[0]
    return sql


def _instance[M: Model](
    model: type[M], fields: tuple[str, ...], row: tuple[Any, ...], database: BaseDatabaseWrapper
) -> M:
    names, conversions = _columns(model, fields)
    values = list(row)
    for place, column, convert in conversions:
        values[place] = convert(values[place], column, database)
    return model.from_db(DEFAULT_DB_ALIAS, names, values)


def _moment(value: Any, database: BaseDatabaseWrapper) -> datetime.datetime | None:
    """Return an annotated time as the ORM would, which knows it for that of a successor's row."""
    _, conversions = _columns(ApiKey, ("created_at",))
    for _, column, convert in conversions:
        value = convert(value, column, database)
    moment: datetime.datetime | None = value
    return moment


@cache
def _columns(model: type[Model], fields: tuple[str, ...]) -> tuple[list[str], list[tuple[int, Any, Any]]]:
    """Return the attributes of some fields, in the model's order, and what backend and fields do to their values."""
    database = connections[DEFAULT_DB_ALIAS]
    columns = [field.cached_col for field in model._meta.concrete_fields if field.name in fields]
    conversions = [
        (place, column, convert)
        for place, column in enumerate(columns)
        for convert in (*database.ops.get_db_converters(column), *column.get_db_converters(database))
    ]
    return [column.target.attname for column in columns], conversions
