"""The matrix on the real stack: what the table refuses never reaches MLflow, and what it grants is MLflow's to answer.

Calls are about things that nobody has. tests/matrix walks the single scopes and the other mounts, before a stub.
"""

import pytest

from apikeys import scopes
from mlflow_proxy.artifacts import protocol
from mlflow_proxy.routes import ROUTES, Route
from tests.live.processes import eventually
from tests.live.stack import Portal
from tests.live.teams import NOBODYS, Team

pytestmark = pytest.mark.live

# uvicorn's line for a call of somebody's; those of probes name no address.
CALL_SIGN = '127.0.0.1:0 - "'


def calls_seen(portal: Portal) -> int:
    """Return how many calls of callers MLflow has logged."""
    return portal.mlflow.log.read_text(errors="replace").count(CALL_SIGN)


def is_granted(preset: str, row: Route) -> bool:
    return row.scope is None or scopes.grants(scopes.PRESETS[preset], row.scope)


def wrong_decisions(portal: Portal, preset: str, rows: list[Route]) -> list[tuple[str, str, int, str]]:
    """Make the calls with a key of the preset and return those that the table and the scopes decide otherwise."""
    team, wrong = Team(portal, portal.key(preset), NOBODYS), []
    for row in rows:
        reply = team.ask(row)
        reason = reply.json().get("reason", "") if reply.status_code >= 400 else ""
        is_refused = (reply.status_code, reason) == (403, "SCOPE_MISSING")
        is_unknown = reason == "ROUTE_UNKNOWN" and row.resource != "workspace"
        if is_refused == is_granted(preset, row) or is_unknown:
            wrong.append((row.method, row.template, reply.status_code, reason))
    return wrong


def walk(portal: Portal, preset: str, rows: list[Route]) -> None:
    refused = [row for row in rows if not is_granted(preset, row)]
    before = calls_seen(portal)
    assert wrong_decisions(portal, preset, refused) == []
    # The count below proves that a call which does arrive is logged by then.
    assert calls_seen(portal) == before
    granted = [row for row in rows if row not in refused]
    assert wrong_decisions(portal, preset, granted) == []
    served = [row for row in granted if row.operation not in protocol.HANDOUTS and row.resource != "workspace"]
    assert eventually(lambda: calls_seen(portal) > before + len(served) // 2)


@pytest.mark.parametrize("preset", scopes.PRESETS)
def test_matrix_is_decided_by_the_table_before_the_real_mlflow(local: Portal, preset: str) -> None:
    walk(local, preset, list(ROUTES))
