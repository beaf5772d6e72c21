"""The query of the hot path on PostgreSQL: prepared once a connection, and right whatever becomes of the statement."""

import json

import pytest

from tests.live.conftest import Stack
from tests.live.stack import Portal

pytestmark = pytest.mark.live

# Inside of one process, because a statement lives in one connection. Each note: found, queries, prepared statements.
SCRIPT = """
import json
from django.db import connection, connections
from apikeys import lookups
from apikeys.models import ApiKey

public_id, seen = ApiKey.objects.get().public_id, {}

def alter(length):
    other = connections.create_connection("default")
    with other.cursor() as cursor:
        cursor.execute(f"ALTER TABLE apikeys_apikey ALTER COLUMN digest TYPE varchar({length})")
    other.close()

def note(name):
    asked = []
    def count(run, sql, *rest):
        asked.append(sql)
        return run(sql, *rest)
    with connection.execute_wrapper(count):
        found = lookups.find(public_id) is not None
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_prepared_statements")
        seen[name] = [found, len(asked), cursor.fetchone()[0]]

note("first")
note("again")
alter(65)
note("after a migration")
note("planned anew")
connection.connection.pgconn.exec_(b"DEALLOCATE ALL")
note("of a pooler")
note("without")
print(json.dumps(seen))
"""


def test_query_is_prepared_once_and_survives_what_ends_its_statement(local: Portal, stack: Stack) -> None:
    database = {"DATABASE_URL": stack.database.create("lookups")}
    local.manage("migrate", "-v0", **database)
    local.manage("issue_key", "--name", "one", "--preset", "reader", "--quiet", **database)
    assert json.loads(local.manage("shell", "-v0", "-c", SCRIPT, **database)) == {
        "first": [True, 1, 1],
        "again": [True, 1, 1],
        "after a migration": [True, 3, 0],
        "planned anew": [True, 1, 1],
        "of a pooler": [True, 2, 0],
        "without": [True, 1, 0],
    }
