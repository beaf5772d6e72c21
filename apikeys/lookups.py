"""Find a key and its service by public id, in the one query that every call pays for; judges and writes nothing.

The ORM composes its SQL at each call, which costs several times what running it does. Here it composes once a process,
of the columns that calls read.
"""

import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model
from django.db.models.base import ModelState

from apikeys import patience
from apikeys.models import ApiKey, Service

if TYPE_CHECKING:
    from apikeys.statements import Question, Statement

# Whoever asks the row for another column pays a query more.
KEY_COLUMNS = (
    *("id", "service", "public_id", "digest", "pepper_number", "scopes", "lineage", "rate_limit_per_hour"),
    *("allowed_ips", "expires_at", "revoked_at", "disabled_at"),
)
SERVICE_COLUMNS = ("id", "service_id", "owner", "workspaces", "presigned_urls", "disabled_at")
_SERVICE = ApiKey._meta.get_field("service")


class Lookup:
    """A key that is looked up. PostgreSQL is at work from the first moment; ``answer`` waits for it.

    Until then one of the pool's connections is held.
    """

    def __init__(self, public_id: str) -> None:
        self._public_id, self._database = public_id, connections[DEFAULT_DB_ALIAS]
        self._question: Question | None = None
        pool = getattr(self._database, "pool", None)
        # A connection of Django's own may see what its transaction has changed.
        if pool is not None and self._database.connection is None:
            with patience.within(patience.CALL_SECONDS):
                self._question = _question(pool, public_id)

    def answer(self) -> ApiKey | None:
        """Return what ``ApiKey.objects.with_validity().get(public_id=…)`` would, with few columns, or None."""
        with patience.within(patience.CALL_SECONDS):
            row = self._row()
        return None if row is None else _key(row, self._database)

    @property
    def is_under_way(self) -> bool:
        """Whether a connection waits for an answer that nobody has asked for yet."""
        return self._question is not None and self._question.is_open

    def _row(self) -> tuple[Any, ...] | None:
        if self._question is not None:
            with self._database.wrap_database_errors:
                return self._question.answer()
        with self._database.cursor() as cursor:
            cursor.execute(_sql(), [self._public_id])
            row: tuple[Any, ...] | None = cursor.fetchone()
            return row


def _key(row: tuple[Any, ...], database: BaseDatabaseWrapper) -> ApiKey:
    split = len(KEY_COLUMNS)
    key = _instance(ApiKey, KEY_COLUMNS, row[:split], database)
    key.is_expired = row[split]  # type: ignore[attr-defined]
    key.replaced_at = _moment(row[split + 1], database)  # type: ignore[attr-defined]
    # Assigning it would ask the routers first, whether the two may be related.
    _SERVICE.set_cached_value(key, _instance(Service, SERVICE_COLUMNS, row[split + 2 :], database))
    return key


def _question(pool: Any, public_id: str) -> "Question":
    # Making Django's own connection of a lent one, and giving that back, takes as long as the query.
    from apikeys.statements import Question  # noqa: PLC0415  (SQLite needs no psycopg)

    return Question(_statement(), pool, public_id)


@cache
def _statement() -> "Statement":
    from apikeys.statements import Statement  # noqa: PLC0415  (SQLite needs no psycopg)

    return Statement(_sql())


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
    return _made(model, names, values)


def _made[M: Model](model: type[M], names: list[str], values: list[Any]) -> M:
    """Return what ``Model.from_db`` does, whose constructor goes through all the columns that were left out."""
    made, state = model.__new__(model), ModelState()
    state.adding, state.db = False, DEFAULT_DB_ALIAS
    vars(made).update(zip(names, values, strict=True), _state=state)
    return made


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
