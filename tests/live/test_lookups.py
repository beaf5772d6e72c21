"""The query of the hot path on PostgreSQL: prepared once a connection, and right whatever becomes of the statement."""

import json

import pytest

from tests.live.conftest import Stack
from tests.live.stack import Portal

pytestmark = pytest.mark.live

# Inside of one process, whose pool lends the same connection each time: a statement lives in one. Each note: found,
# queries, prepared statements.
SCRIPT = """
import json
import os
import psycopg
from django.db import connection
from apikeys import lookups
from apikeys.models import ApiKey

public_id, seen, asked, fetch = ApiKey.objects.get().public_id, {}, [], lookups._fetch

def count(cursor, *words, **how):
    asked.append(how)
    return fetch(cursor, *words, **how)

def note(name):
    connection.close()
    asked.clear()
    found = lookups.find(public_id) is not None
    lent = connection.connection is not None
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_prepared_statements")
        seen[name] = [found, len(asked), cursor.fetchone()[0], lent]
    connection.close()

lookups._fetch = count
note("first")
note("again")
with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as other:
    other.execute("ALTER TABLE apikeys_apikey ALTER COLUMN digest TYPE varchar(65)")
note("after a migration")
note("planned anew")
lent = connection.pool.getconn()
lent.pgconn.exec_(b"DEALLOCATE ALL")
connection.pool.putconn(lent)
note("of a pooler")
note("without")
print(json.dumps(seen))
"""


def test_query_is_prepared_once_and_survives_what_ends_its_statement(local: Portal, stack: Stack) -> None:
    database = {"DATABASE_URL": stack.database.create("lookups"), "HOKUSAI_DATABASE_POOL_SIZE": "1"}
    local.manage("migrate", "-v0", **database)
    local.manage("issue_key", "--name", "one", "--preset", "reader", "--quiet", **database)
    assert json.loads(local.manage("shell", "-v0", "-c", SCRIPT, **database)) == {
        "first": [True, 1, 1, False],
        "again": [True, 1, 1, False],
        "after a migration": [True, 2, 0, False],
        "planned anew": [True, 1, 1, False],
        "of a pooler": [True, 2, 0, False],
        "without": [True, 1, 0, False],
    }
