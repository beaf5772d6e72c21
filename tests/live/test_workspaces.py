"""Two services in two workspaces: no row of the table lets one see or touch anything of the other.

The calls are made from the table: every row is filled with the ids of team A's things and asked with team B's key.
An owner's key then makes the same calls, which proves that they would have found and changed something.
"""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import requests

from mlflow_proxy.routes import ROUTES, Route
from tests.live.client import run_client
from tests.live.conftest import Stack
from tests.live.stack import Mlflow, Portal
from tests.live.teams import FURNISH, MARK, Team, fingerprint

pytestmark = pytest.mark.live

# Rows of which an owner's call finds nothing here either, with the reason.
IDLE = {
    "POST 2.0/mlflow/traces": "the older start of a trace, refused by this store",
    "PATCH 2.0/mlflow/traces/{request_id}": "the older end of a trace",
    "POST 2.0/mlflow-artifacts/mpu/create/{artifact_path}": "signed addresses are off",
    "POST 2.0/mlflow-artifacts/mpu/complete/{artifact_path}": "signed addresses are off",
    "POST 2.0/mlflow-artifacts/mpu/abort/{artifact_path}": "signed addresses are off",
    "GET 2.0/mlflow-artifacts/presigned/{artifact_path}": "signed addresses are off",
}
# Of these nobody has any: MLflow makes them from its interface.
UNFURNISHED = {"issue", "label-schema", "review-queue", "workspace"}
# What ends a thing comes after all that need it, and what ends the least comes first.
ENDINGS = (
    *("tag", "alias", "assessment", "records", "remove-experiments", "model-versions/delete", "rename"),
    *("registered-models/delete", "datasets", "logged-models", "traces", "artifacts", "runs", "experiments"),
)


@dataclass(frozen=True)
class Ground:
    """The two teams at one portal, and the folder in which the bytes of both rest."""

    a: Team
    b: Team
    store: Path


@pytest.fixture(scope="module")
def grounds(stack: Stack) -> Iterator[dict[str, Ground]]:
    """Start one MLflow with workspaces and two portals before it, one for each artifact mode; furnish A."""
    folder, name = stack.folder, f"ws-{uuid.uuid4().hex[:6]}"
    store = folder / f"{name}-artifacts"
    own = {"HOKUSAI_WORKSPACES": "true"}
    mlflow = Mlflow(name, folder, database=stack.database.create("workspaces"), destination=str(store), **own)
    portal = Portal(f"{name}-portal", folder, mlflow=mlflow, database=stack.database.create("portal_ws"), **own)
    shared = {"mlflow": mlflow, "database": portal.environment["DATABASE_URL"], "twin": portal}
    direct = Portal(f"{name}-direct", folder, **shared, HOKUSAI_ARTIFACT_DESTINATION=str(store), **own)
    running = (mlflow, portal, direct)
    try:
        for program in running:
            program.start()
        portal.wait_until_ready()
        direct.wait_until_ready()
        keys = {team: _key_of(portal, team) for team in ("team-a", "team-b")}
        ids = run_client(FURNISH, portal, keys["team-a"], MARK=MARK)
        a, b = (Team(portal, key, ids) for key in keys.values())
        yield {
            "proxy": Ground(a, b, store),
            "direct": Ground(replace(a, portal=direct), replace(b, portal=direct), store),
        }
    finally:
        for program in reversed(running):
            program.end()


def _key_of(portal: Portal, team: str) -> str:
    portal.manage("create_service", team)
    portal.manage("pin_service", team, "--workspace", team)
    rights = ("--preset", "operator", "--scope", "mlflow:admin")
    return portal.manage("issue_key", "--service", team, "--name", "all rights", *rights, "--quiet")


@pytest.fixture(params=["proxy", "direct"])
def ground(request: pytest.FixtureRequest, grounds: dict[str, Ground]) -> Ground:
    return grounds[request.param]


def test_furniture_is_where_mlflow_puts_a_workspace(grounds: dict[str, Ground]) -> None:
    ids, store = grounds["proxy"].a.ids, grounds["proxy"].store
    below = f"{ids['experiment']}/{ids['run']}/artifacts/plain.txt"
    assert (store / "workspaces" / "team-a" / below).read_text() == MARK


def test_b_sees_and_changes_nothing_of_a_by_any_row_of_the_table(ground: Ground) -> None:
    before, leaks = fingerprint(ground.a, ground.store), []
    for row in ROUTES:
        for below in ("", "workspaces/team-a/") if "{artifact_path}" in row.template else ("",):
            reply = ground.b.ask(row, below=below)
            # What A has and what nobody has look the same.
            nobodys = ground.b.about_nobodys().ask(row, below=below)
            if MARK in reply.text or reply.status_code != nobodys.status_code:
                leaks.append(
                    (row.method, row.template, below, reply.status_code, nobodys.status_code, reply.text[:300])
                )
    assert leaks == []
    assert fingerprint(ground.a, ground.store) == before


def test_b_is_refused_a_path_that_spells_the_workspace_of_a(ground: Ground) -> None:
    rows = [row for row in ROUTES if "mlflow-artifacts/artifacts/{artifact_path}" in row.template]
    assert {ground.b.ask(row, below="workspaces/team-a/").status_code for row in rows} == {400}


@pytest.fixture
def experiment_of_b(ground: Ground) -> str:
    found: str = ground.b.send("experiments/create", {"name": uuid.uuid4().hex}).json()["experiment_id"]
    return found


def test_b_logs_no_metric_onto_a_model_of_a(ground: Ground, experiment_of_b: str) -> None:
    """A row alone does not ask for it: the run is B's own."""
    before = fingerprint(ground.a, ground.store)
    run = ground.b.send("runs/create", {"experiment_id": experiment_of_b}).json()["run"]["info"]["run_id"]
    metric = {"key": "loss", "value": 7.0, "timestamp": 1, "step": 9, "model_id": ground.a.ids["model"]}
    replies = [
        ground.b.send("runs/log-metric", metric | {"run_id": run}),
        ground.b.send("runs/log-batch", {"run_id": run, "metrics": [metric]}),
    ]
    assert [reply.status_code for reply in replies] == [404, 404]
    assert fingerprint(ground.a, ground.store) == before


def test_b_reads_no_trace_of_the_default_workspace_by_a_location(ground: Ground, experiment_of_b: str) -> None:
    place = f"7/traces/tr-{uuid.uuid4().hex}/artifacts"
    (ground.store / place).mkdir(parents=True)
    (ground.store / place / "traces.json").write_text(f'{{"spans": [], "secret": "{MARK}"}}')
    trace = f"tr-{uuid.uuid4().hex}"
    where = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment_of_b}}
    info = {"trace_id": trace, "trace_location": where, "request_time": "2026-01-01T00:00:00Z", "state": "OK"}
    assert ground.b.send("traces", {"trace": {"trace_info": info}}, version="3.0").status_code == 200
    tag = {"key": "mlflow.artifactLocation", "value": f"mlflow-artifacts:/{place}"}
    replies = [
        ground.b.send(f"traces/{trace}/tags", tag, method="PATCH"),
        ground.b.send(f"traces/{trace}/tags", tag, method="PATCH", version="3.0"),
        ground.b.send(f"traces/{trace}", {"timestamp_ms": 1, "status": "OK", "tags": [tag]}, method="PATCH"),
    ]
    assert {reply.json()["reason"] for reply in replies} == {"LOCATION_REFUSED"}
    found = requests.get(
        f"{ground.b.portal.tracking_uri}/ajax-api/3.0/mlflow/get-trace-artifact?request_id={trace}",
        headers={"Authorization": f"Bearer {ground.b.key}"},
        timeout=60,
    )
    assert (found.status_code, MARK in found.text) == (404, False)


def test_b_is_refused_the_management_of_workspaces(ground: Ground) -> None:
    rows = [row for row in ROUTES if row.resource == "workspace"]
    assert len(rows) == 10
    assert {ground.b.ask(row).json()["reason"] for row in rows} == {"WORKSPACE_REFUSED"}


def ends_late(row: Route) -> int:
    """Return when A makes the call: 0 for what takes nothing away, else its place among the endings."""
    is_ending = row.method == "DELETE" or any(word in row.template for word in ("delete", "remove", "rename"))
    matching = [place for place, word in enumerate(ENDINGS, start=1) if word in row.template]
    return min(matching, default=len(ENDINGS)) if is_ending else 0


def test_same_calls_by_their_owner_find_and_change_all(grounds: dict[str, Ground]) -> None:
    """The proof that the calls above were about something: a third team uses up things like those of A.

    In direct mode, because MLflow alone fails on a file of a model version whose source is a run.
    """
    portal = grounds["direct"].a.portal
    key = _key_of(grounds["proxy"].a.portal, "team-c")
    owner = Team(portal, key, run_client(FURNISH, portal, key, MARK=MARK))
    once = {row.operation: row for row in ROUTES if row.resource not in UNFURNISHED and row.operation not in IDLE}
    restores = [row for row in once.values() if row.template.endswith("/restore")]
    rows = [row for row in sorted(once.values(), key=ends_late) if row not in restores]
    replies = [(row.operation, owner.ask(row)) for row in (*rows, *restores)]
    assert [(name, reply.status_code, reply.text[:200]) for name, reply in replies if reply.status_code != 200] == []
