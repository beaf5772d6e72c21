"""The query of the hot path on PostgreSQL: prepared once a connection, and right whatever becomes of the statement."""

import json

import pytest

from tests.apikeys.conftest import forge
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
from apikeys.statements import Statement

public_id, seen, asked, ask = ApiKey.objects.get().public_id, {}, [], Statement.ask

def count(statement, *words):
    asked.append(words)
    ask(statement, *words)

def note(name):
    connection.close()
    asked.clear()
    found = lookups.Lookup(public_id).answer() is not None
    lent = connection.connection is not None
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_prepared_statements")
        seen[name] = [found, len(asked), cursor.fetchone()[0], lent]
    connection.close()

Statement.ask = count
note("first")
note("again")
with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as other:
    other.execute("ALTER TABLE apikeys_apikey ALTER COLUMN digest TYPE varchar(65)")
note("after a migration")
note("without since")
lookups._statement.cache_clear()
note("of another process")
lent = connection.pool.getconn()
lent.pgconn.exec_(b"DEALLOCATE ALL")
connection.pool.putconn(lent)
note("of a pooler")
note("without")
print(json.dumps(seen))
"""

# Through the application as gunicorn calls it. Each note: status, queries, connections that the pool of one got back
# broken; it waits until that one is at rest again, or another in its place.
CALLS = """
import io
import json
import os
import psycopg
from django.db import connection
from apikeys.statements import Statement
from hokusai_portal.wsgi import application

seen, asked, ask = {}, [], Statement.ask
PATH, QUERY = "/api/mlflow/api/2.0/mlflow/experiments/get", "experiment_id=0"

def count(statement, *words):
    asked.append(words)
    ask(statement, *words)

def note(name, path=PATH, **more):
    asked.clear()
    told = []
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": path, "RAW_URI": f"{path}?{QUERY}"}
    environ |= {"SERVER_NAME": "x", "SERVER_PORT": "80", "HTTP_HOST": "127.0.0.1", "REMOTE_ADDR": "192.0.2.1"}
    environ |= {"wsgi.input": io.BytesIO(b""), "wsgi.url_scheme": "http"}
    environ |= {"HTTP_AUTHORIZATION": f"Bearer {os.environ['KEY']}"}
    reply = application(environ | more, lambda status, headers: told.append(int(status[:3])))
    b"".join(reply)
    reply.close()
    connection.pool.wait()
    seen[name] = [*told, len(asked), connection.pool.pop_stats().get("returns_bad", 0)]

Statement.ask = count
connection.pool.open(wait=True)
note("call")
for number in range(3):
    note(f"foreign host {number}", HTTP_HOST="evil.example")
note("loop", HTTP_X_HOKUSAI_PORTAL="1")
note("refused method", REQUEST_METHOD="TRACE")
note("wrong secret", HTTP_AUTHORIZATION=f"Bearer {os.environ['FORGED']}")
note("no key", HTTP_AUTHORIZATION="Bearer none")
note("two keys", HTTP_X_API_KEY="another")
note("of a browser", HTTP_ORIGIN="https://a.example")
note("elsewhere", "/live")
note("call again")
with psycopg.connect(os.environ["DATABASE_URL"]) as other:
    other.execute("LOCK TABLE apikeys_service")
    note("database hangs")
    note("database hangs, foreign host", HTTP_HOST="evil.example")
note("database is back")
for number in range(30):
    note("a flood", HTTP_HOST="evil.example", HTTP_AUTHORIZATION=f"Bearer {os.environ['FORGED']}")
note("still good elsewhere", REMOTE_ADDR="192.0.2.2")
print(json.dumps(seen))
"""


def test_each_call_is_one_query_at_most_and_gives_its_connection_back(local: Portal, stack: Stack) -> None:
    database = {"DATABASE_URL": stack.database.create("claims"), "HOKUSAI_DATABASE_POOL_SIZE": "1"}
    local.manage("migrate", "-v0", **database)
    key = local.manage("issue_key", "--name", "one", "--preset", "reader", "--quiet", **database).strip()
    forged = forge(key[:20]).text
    assert json.loads(local.manage("shell", "-v0", "-c", CALLS, **database, KEY=key, FORGED=forged)) == {
        "call": [200, 1, 0],
        "foreign host 0": [400, 1, 0],
        "foreign host 1": [400, 1, 0],
        "foreign host 2": [400, 1, 0],
        "loop": [508, 1, 0],
        "refused method": [405, 1, 0],
        "wrong secret": [401, 1, 0],
        "no key": [401, 0, 0],
        "two keys": [401, 0, 0],
        "of a browser": [200, 1, 0],
        "elsewhere": [200, 0, 0],
        "call again": [200, 1, 0],
        "database hangs": [503, 1, 1],
        "database hangs, foreign host": [400, 1, 1],
        "database is back": [200, 1, 0],
        "a flood": [400, 0, 0],
        "still good elsewhere": [200, 1, 0],
    }


def test_query_is_prepared_once_and_survives_what_ends_its_statement(local: Portal, stack: Stack) -> None:
    database = {"DATABASE_URL": stack.database.create("lookups"), "HOKUSAI_DATABASE_POOL_SIZE": "1"}
    local.manage("migrate", "-v0", **database)
    local.manage("issue_key", "--name", "one", "--preset", "reader", "--quiet", **database)
    assert json.loads(local.manage("shell", "-v0", "-c", SCRIPT, **database)) == {
        "first": [True, 1, 1, False],
        "again": [True, 1, 1, False],
        "after a migration": [True, 2, 1, False],
        "without since": [True, 1, 1, False],
        "of another process": [True, 1, 2, False],
        "of a pooler": [True, 2, 0, False],
        "without": [True, 1, 0, False],
    }
