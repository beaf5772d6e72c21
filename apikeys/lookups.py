"""Find a key and its service by public id, in the one query that every call pays for; judges and writes nothing.

The ORM composes its SQL at each call, which costs several times what running it does. Here it composes once a process.
"""

from functools import cache
from typing import Any

from django.db import connection
from django.db.models import Model

from apikeys import patience
from apikeys.models import ApiKey, Service


def find(public_id: str) -> ApiKey | None:
    """Return what ``ApiKey.objects.with_validity().get(public_id=…)`` would, or None."""
    with patience.within(patience.CALL_SECONDS), connection.cursor() as cursor:
        cursor.execute(_sql(), [public_id])
        row = cursor.fetchone()
    if row is None:
        return None
    split = len(ApiKey._meta.concrete_fields)
    key = _instance(ApiKey, row[:split])
    key.is_expired = row[split]  # type: ignore[attr-defined]
    key.service = _instance(Service, row[split + 1 :])
    return key


@cache
def _sql() -> str:
    """Return the query with a placeholder for the id; it selects the key, whether it is expired, and the service."""
    sql: str = ApiKey.objects.with_validity().order_by().filter(public_id="").query.sql_with_params()[0]
    return sql


def _instance[M: Model](model: type[M], row: tuple[Any, ...]) -> M:
    names, conversions = _columns(model)
    values = list(row)
    for place, column, convert in conversions:
        values[place] = convert(values[place], column, connection)
    return model.from_db(connection.alias, names, values)


@cache
def _columns(model: type[Model]) -> tuple[list[str], list[tuple[int, Any, Any]]]:
    """Return a model's attributes in order, and what backend and fields do to the values of some of them."""
    columns = [field.cached_col for field in model._meta.concrete_fields]
    conversions = [
        (place, column, convert)
        for place, column in enumerate(columns)
        for convert in (*connection.ops.get_db_converters(column), *column.get_db_converters(connection))
    ]
    return [column.target.attname for column in columns], conversions
