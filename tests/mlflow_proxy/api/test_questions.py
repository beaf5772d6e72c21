"""Explanations, routes and storage health over REST."""

import pytest

from mlflow_proxy import routes
from mlflow_proxy.health import history, monitor
from mlflow_proxy.health.answers import Probe
from tests.apikeys.api.conftest import caller, reason, refused_fields

__all__ = ["caller"]

CREATE = "/api/mlflow/api/2.0/mlflow/experiments/create"


@pytest.fixture
def begun(monkeypatch):
    """Who asked for a check; none is made."""
    asked = []
    monkeypatch.setattr(monitor, "check_aside", asked.append)
    return asked


@pytest.fixture
def checked(db):
    row = history.begin("worker", 2)
    failed = Probe("mlflow", "failed", 3.4, reason="UPSTREAM_REFUSED", detail="127.0.0.1:5000", hint="Start it.")
    history.end(row, [Probe("database", "passed", 1.2), failed])
    return row


def test_explanation_names_the_scope_that_is_missing(caller):
    document = caller("reader").get(f"/explain?method=POST&path={CREATE}").json()
    assert (document["is_allowed"], document["status"], document["reason"]) == (False, 403, "SCOPE_MISSING")
    assert (document["required_scope"], document["address"]) == ("mlflow:write", "127.0.0.1")


def test_explanation_by_post_is_the_same(caller):
    reader = caller("reader")
    by_get = reader.get(f"/explain?method=GET&path={CREATE}").json()
    assert reader.post("/explain", {"method": "GET", "path": CREATE}).json() == by_get


def test_explanation_of_another_key_is_for_those_who_may_see_it(caller, issue, batch):
    key = issue(service=batch, words=["mlflow:write"], allowed_ips=["192.0.2.0/24"]).row.public_id
    question = {"method": "POST", "path": CREATE, "key": key}
    for who in (caller("viewer", ""), caller("key reader"), caller("key reader", "batch")):
        told = who.post("/explain", question).json()
        assert (told["is_allowed"], told["not_judged"]) == (True, ["address", "rate", "body"])
        assert not who.post("/explain", question | {"address": "198.51.100.7"}).json()["is_allowed"]
    for who in (caller("reader"), caller("no group", "")):
        assert reason(who.post("/explain", question)) == "NOT_FOUND"


def test_explanation_does_not_repeat_a_secret_in_a_path(caller, reader):
    path = f"{CREATE}?x={reader.secret.text}"
    assert reader.secret.text[20:] not in str(caller("reader").post("/explain", {"method": "GET", "path": path}).json())


@pytest.mark.parametrize(
    ("question", "field"),
    [
        ({"method": "GET"}, "path"),
        ({"path": CREATE}, "method"),
        ({"method": "GET", "path": "x"}, "path"),
        ({"method": "G E T", "path": CREATE}, "method"),
        ({"method": "GET", "path": CREATE, "address": "here"}, "address"),
        ({"method": "GET", "path": CREATE, "colour": "red"}, "colour"),
    ],
)
def test_question_that_is_none_is_400(caller, question, field):
    assert refused_fields(caller("reader").post("/explain", question)) == {field}


def test_question_about_a_page_of_the_portal_is_404(caller):
    assert reason(caller("reader").post("/explain", {"method": "GET", "path": "/admin/"})) == "NOT_FOUND"


def test_staff_says_of_which_key(caller):
    assert refused_fields(caller("viewer", "").get(f"/explain?method=GET&path={CREATE}")) == {"key"}


def test_routes_are_the_table(caller):
    rows = caller("reader").get("/routes").json()["results"]
    assert {(row["method"], row["path"], row["scope"]) for row in rows} == {
        (route.method, route.template, route.scope) for route in routes.ROUTES
    }


def test_health_before_any_check_is_grey(caller, db):
    document = caller("watcher").get("/storage/health").json()
    assert (document["light"], document["checked_at"], document["probes"]) == ("grey", None, [])


def test_health_is_the_last_check_with_its_cures(caller, checked):
    document = caller("watcher").get("/storage/health").json()
    assert document["light"] == "red"
    (failed,) = (probe for probe in document["probes"] if probe["status"] == "failed")
    assert (failed["name"], failed["reason"], failed["hint"]) == ("mlflow", "UPSTREAM_REFUSED", "Start it.")


@pytest.mark.parametrize("window", ["24h", "30d"])
def test_history_is_that_of_a_day_or_a_month(caller, checked, window):
    document = caller("watcher").get(f"/storage/health/history?window={window}").json()
    assert [row["light"] for row in document["results"]] == ["red"]
    assert refused_fields(caller("watcher").get("/storage/health/history?window=1y")) == {"window"}


def test_check_begins_once(caller, begun, db):
    watcher = caller("watcher")
    assert watcher.post("/storage/health/checks").status_code == 202
    history.begin("worker", 24)
    assert watcher.post("/storage/health/checks").json()["progress"]["expected"] == 24
    assert begun == [f"api: {watcher.issued.row.public_id}"]


@pytest.mark.parametrize("path", ["/storage/health", "/storage/health/history"])
def test_health_is_for_storage_read_and_its_staff(caller, path):
    assert caller("operator").get(path).status_code == 200
    assert caller("viewer", "").get(path).status_code == 200
    assert reason(caller("reader").get(path)) == "SCOPE_MISSING"
    assert reason(caller("no group", "").get(path)) == "PERMISSION_DENIED"
