"""Every preset and every single scope over every row, alias and mount: the decision is the table's, and no other.

A refused call opens no connection to MLflow; a granted one arrives once. `make matrix` walks all of it; a sample of
fixed seed runs with the suite.
"""

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client

from apikeys import scopes
from mlflow_proxy import upstream
from mlflow_proxy.artifacts import protocol
from mlflow_proxy.routes import ROUTES, Route
from tests.mlflow_proxy.refusals import body_of, mounts_of, path_of
from tests.mlflow_proxy.stub import Answer, Stub, ok

SAMPLE = 300
SETS = {
    **{f"preset {name}": words for name, words in scopes.PRESETS.items()},
    **{word: (word,) for word in sorted(scopes.ALL)},
    "everything": tuple(sorted(scopes.ALL)),
}
Call = tuple[str, Route, str, str]  # name of the set, row, method, mount

CALLS: list[Call] = [
    (name, row, method, mount)
    for name in SETS
    for row in ROUTES
    for method in ([row.method, "HEAD"] if row.method == "GET" and row.traffic == "transfer" else [row.method])
    for mount in mounts_of(row)
]


@pytest.fixture
def mlflow(settings: Any) -> Iterator[Stub]:
    """An upstream that counts, for the portal inside this process."""
    stub = Stub(lambda seen: Answer([ok(b"" if seen.method == "HEAD" else b"{}")]))
    settings.MLFLOW_SERVER_URL, settings.HOKUSAI_WORKSPACES = stub.url, True
    yield stub
    stub.stop()
    upstream._pool.cache_clear()


@pytest.fixture
def wrong_decisions(
    portal: Client,
    mlflow: Stub,
    issue: Any,
    bearer: Any,
) -> Callable[[list[Call]], list[str]]:
    """Make the calls and return those whose outcome is not what the table and the scopes say."""
    headers = {name: bearer(issue(words=words)) for name, words in SETS.items()}

    def walk(calls: list[Call]) -> list[str]:
        return [
            f"{method} {mount}/{path_of(row)} by {name}"
            for name, row, method, mount in calls
            if not is_right(name, row, method, mount)
        ]

    def is_right(name: str, row: Route, method: str, mount: str) -> bool:
        # A connection kept open would carry the next call without being counted as one.
        before = len(mlflow.seen)
        target, body = f"{mount}/{path_of(row)}", body_of(row) or b""
        reply = portal.generic(method, target, body, headers=headers[name])
        status, reason = reply.status_code, consume(reply)
        arrived = len(mlflow.seen) - before
        refusal = (403, 0, "" if method == "HEAD" else "SCOPE_MISSING")
        is_granted = row.scope is None or scopes.grants(SETS[name], row.scope)
        # The portal's own routes answer without MLflow: signed addresses, off unless a service has them.
        granted = (501, 0) if row.operation in protocol.HANDOUTS else (200, 1)
        return (status, arrived) == granted if is_granted else (status, arrived, reason) == refusal

    return walk


def consume(reply: Any) -> str:
    """Read the reply to its end, which frees the key's share, and return the word of a refusal; a HEAD has none."""
    if reply.streaming:
        list(reply.streaming_content)
        return ""
    document = reply.json() if reply.content else {}
    return str(document.get("reason", ""))


def test_matrix_holds_every_row_by_every_mount() -> None:
    assert len(CALLS) == len(set(CALLS)) >= len(SETS) * len(ROUTES) * 2


def test_sample_of_the_matrix_is_decided_by_the_table(wrong_decisions: Callable[[list[Call]], list[str]]) -> None:
    assert wrong_decisions(random.Random(20261123).sample(CALLS, SAMPLE)) == []


@pytest.mark.matrix
@pytest.mark.parametrize("name", SETS)
def test_matrix_is_decided_by_the_table(wrong_decisions: Callable[[list[Call]], list[str]], name: str) -> None:
    assert wrong_decisions([call for call in CALLS if call[0] == name]) == []
