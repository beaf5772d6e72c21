"""Find a key and its service by public id, in the one query that every call pays for; judges and writes nothing.

The ORM composes its SQL at each call, which costs several times what running it does. Here it composes once a process,
of the columns that calls read, and PostgreSQL parses and plans it once a connection.
"""

import datetime
from functools import cache
from typing import Any

import structlog
from django.db import DatabaseError, connection
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
    with patience.within(patience.CALL_SECONDS):
        row = _row(public_id)
    if row is None:
        return None
    split = len(KEY_COLUMNS)
    key = _instance(ApiKey, KEY_COLUMNS, row[:split])
    key.is_expired = row[split]  # type: ignore[attr-defined]
    key.replaced_at = _moment(row[split + 1])  # type: ignore[attr-defined]
    key.service = _instance(Service, SERVICE_COLUMNS, row[split + 2 :])
    return key


def _row(public_id: str) -> tuple[Any, ...] | None:
    if connection.vendor == "postgresql" and _is_preparing:
        try:
            return _ask(public_id, is_prepared=True)
        except DatabaseError as error:
            _recover(error)
    return _ask(public_id)


def _ask(public_id: str, *, is_prepared: bool = False) -> tuple[Any, ...] | None:
    with connection.cursor() as cursor:
        if is_prepared:
            _let_prepare(cursor)
        cursor.execute(_sql(), [public_id])
        row: tuple[Any, ...] | None = cursor.fetchone()
    return row


def _let_prepare(cursor: Any) -> None:
    """Exchange Django's cursor inside its wrapper, which writes parameters into the text, for one that prepares."""
    from django.db.backends.postgresql.base import ServerBindingCursor  # noqa: PLC0415  (needs psycopg)

    connection.connection.prepare_threshold = 0
    cursor.cursor = ServerBindingCursor(connection.connection)  # type: ignore[call-arg]  # stubs do not know the base


def _recover(error: DatabaseError) -> None:
    """Forget the statement, so that asking again without one helps; raises the error where it would not."""
    global _is_preparing  # noqa: PLW0603
    state = getattr(error.__cause__, "sqlstate", None)
    if state in POOLED_APART:
        _is_preparing = False
        log.warning("statement_unprepared", sqlstate=state)
    elif state == PLAN_OUTDATED:
        with connection.cursor() as cursor:
            cursor.execute("DEALLOCATE ALL")
    else:
        raise error


@cache
def _sql() -> str:
    """Return the query with a placeholder for the id; it selects the key, its two annotations, and the service."""
    columns = (*KEY_COLUMNS, *(f"service__{name}" for name in SERVICE_COLUMNS))
    rows = ApiKey.objects.with_validity().order_by().only(*columns).filter(public_id="")
    sql: str = rows.query.sql_with_params()[0]
    return sql


def _instance[M: Model](model: type[M], fields: tuple[str, ...], row: tuple[Any, ...]) -> M:
    names, conversions = _columns(model, fields)
    values = list(row)
    for place, column, convert in conversions:
        values[place] = convert(values[place], column, connection)
    return model.from_db(connection.alias, names, values)


def _moment(value: Any) -> datetime.datetime | None:
    """Return an annotated time as the ORM would, which knows it for that of a successor's row."""
    column = ApiKey._meta.get_field("created_at").cached_col
    for convert in (*connection.ops.get_db_converters(column), *column.get_db_converters(connection)):
        value = convert(value, column, connection)
    moment: datetime.datetime | None = value
    return moment


@cache
def _columns(model: type[Model], fields: tuple[str, ...]) -> tuple[list[str], list[tuple[int, Any, Any]]]:
    """Return the attributes of some fields, in the model's order, and what backend and fields do to their values."""
    columns = [field.cached_col for field in model._meta.concrete_fields if field.name in fields]
    conversions = [
        (place, column, convert)
        for place, column in enumerate(columns)
        for convert in (*connection.ops.get_db_converters(column), *column.get_db_converters(connection))
    ]
    return [column.target.attname for column in columns], conversions
