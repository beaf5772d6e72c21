"""Counting at work: every refusal is counted by its reason and logged once; two workers add up in one scrape."""

import contextlib
import http.client
import os
import signal
import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from mlflow_proxy import metrics
from tests.mlflow_proxy.portal import Home, Portal, eventually, running
from tests.mlflow_proxy.samples import scrape, value
from tests.mlflow_proxy.stub import Stub, chunked_ok, ok
from tests.mlflow_proxy.wire import CREATE, FILES, SEARCH, M, Reply, bearer, opened
from tests.mlflow_proxy.wire import call as call_alone

UPLOAD = f"{FILES}/0/run/artifacts/a.txt"


@pytest.fixture(scope="module")
def _two_workers_for_the_module(home: Home, _stub_for_the_session: Stub) -> Iterator[Portal]:
    limits = {"HOKUSAI_MAX_JSON_BYTES": "100000", "HOKUSAI_CONNECT_TIMEOUT": "1"}
    with running(home, _stub_for_the_session, "two-workers", HOKUSAI_WEB_WORKERS="2", **limits) as portal:
        yield portal


@pytest.fixture
def two(_two_workers_for_the_module: Portal, upstream: Stub) -> Portal:
    """Return a portal with two workers."""
    return _two_workers_for_the_module


def call(portal: Portal, method: str, target: str, **more: Any) -> Reply:
    """Make a call that leaves no count to the next test: its line in the log is written last."""
    since = len(portal.log)
    reply = call_alone(portal, method, target, **more)
    portal.wait_for_event(since, event="request_finished", request_id=reply.request_id)
    return reply


@contextlib.contextmanager
def grown(portal: Portal, name: str, by: float, **labels: str) -> Iterator[None]:
    """Assert that the portal counts so many meanwhile; a call is counted when its connection is done with."""
    before = value(scrape(portal), name, **labels)
    yield
    eventually(
        lambda: value(scrape(portal), name, **labels) - before == by,
        lambda: f"{name}{labels} grew by {value(scrape(portal), name, **labels) - before}, not by {by}",
    )


def test_scrape_adds_up_all_workers(two: Portal) -> None:
    folder = two.home.folder / "metrics" / str(two.port)
    files = [folder / f"counter_{pid}.db" for pid in two.worker_pids]
    labels = {"method": "GET", "status": "200", "traffic": "metadata", "service": "platform"}
    before, asked = value(scrape(two), "hokusai_requests_total", **labels), 0
    assert len(files) == 2
    while asked < 20 or not all(file.exists() and b"hokusai_requests_total" in file.read_bytes() for file in files):
        call(two, "GET", SEARCH)
        asked += 1
    eventually(lambda: value(scrape(two), "hokusai_requests_total", **labels) - before == asked)


def test_scrape_shows_only_what_is_listed(two: Portal) -> None:
    call(two, "GET", SEARCH)
    families = {family.name: family for family in text_string_to_metric_families(scrape(two))}
    listed = {family.name: family for metric in metrics.METRICS for family in metric.describe()}
    assert families.keys() <= listed.keys()
    assert all(families[name].type == listed[name].type for name in families)


def test_scrape_survives_a_worker_that_is_killed(two: Portal) -> None:
    call(two, "GET", SEARCH)
    before = value(scrape(two), "hokusai_requests_total")
    pids = set(two.worker_pids)
    os.kill(min(pids), signal.SIGKILL)
    eventually(lambda: len(set(two.worker_pids) - pids) == 1 and len(two.worker_pids) == 2)
    assert value(scrape(two), "hokusai_requests_total") >= before
    with grown(two, "hokusai_requests_total", 1, status="404"):
        call(two, "GET", f"{M}/nowhere")


def test_upload_counts_the_bytes_that_were_read(two: Portal) -> None:
    with grown(two, "hokusai_body_bytes_total", 12345, direction="in", traffic="transfer"):
        call(two, "PUT", UPLOAD, body=bytes(12345))


def test_download_counts_the_bytes_that_were_sent(two: Portal, upstream: Stub) -> None:
    upstream.reply(chunked_ok(bytes(5000), bytes(3000)))
    with grown(two, "hokusai_body_bytes_total", 8000, direction="out", traffic="transfer"):
        call(two, "GET", UPLOAD)


def test_download_that_the_caller_leaves_is_counted_all_the_same(two: Portal, upstream: Stub) -> None:
    upstream.reply(ok(bytes(50_000_000), "Content-Type: application/octet-stream"))
    since = len(two.log)
    is_counted = grown(two, "hokusai_requests_total", 1, traffic="transfer", status="200")
    with is_counted, opened(two, "GET", UPLOAD) as response:
        response.read(10)
    two.wait_for_event(since, event="request_finished", request_id=response.headers["X-Request-ID"])
    assert value(scrape(two), "hokusai_body_bytes_total", direction="out", traffic="transfer") < 50_000_000


def test_download_that_breaks_off_is_counted_with_its_reason(two: Portal, upstream: Stub) -> None:
    upstream.reply(ok(bytes(300_000), "Content-Type: application/octet-stream")[:-1], then="close")
    is_cut = pytest.raises((http.client.IncompleteRead, ConnectionResetError))
    with grown(two, "hokusai_refusals_total", 1, reason="UPSTREAM_GARBLED"), is_cut:
        call(two, "GET", UPLOAD)


def test_connections_and_calls_to_mlflow_are_counted(two: Portal) -> None:
    with grown(two, "hokusai_upstream_seconds_count", 3, traffic="transfer"):
        for _ in range(3):
            call(two, "PUT", UPLOAD, body=b"x")
    assert value(scrape(two), "hokusai_upstream_connections_total", traffic="transfer") >= 1


REFUSALS = {
    "KEY_MISSING": ("GET", SEARCH, None, {}, None),
    "KEY_MALFORMED": ("GET", SEARCH, None, {"Authorization": "Bearer x"}, None),
    "LOOP_DETECTED": ("GET", SEARCH, "reader", {"X-Hokusai-Portal": "1"}, None),
    "AMBIGUOUS_PATH": ("GET", f"{M}/a//b", "reader", {}, None),
    "ROUTE_UNKNOWN": ("GET", f"{M}/nowhere", "reader", {}, None),
    "METHOD_REFUSED": ("TRACE", SEARCH, "reader", {}, None),
    "SCOPE_MISSING": ("POST", CREATE, "reader", {}, b"{}"),
    "BODY_REFUSED": ("POST", CREATE, "operator", {}, b"["),
    "BODY_TOO_LARGE": ("POST", CREATE, "operator", {}, bytes(100_001)),
}


@pytest.mark.parametrize("reason", REFUSALS)
def test_refusal_is_counted_by_its_reason_and_logged_once(two: Portal, reason: str) -> None:
    method, target, who, headers, body = REFUSALS[reason]
    start = len(two.log)
    with grown(two, "hokusai_refusals_total", 1, reason=reason), grown(two, "hokusai_refusals_total", 1):
        call(two, method, target, who=who, headers=headers, body=body)
    said = [event for event in two.events(start) if event.get("reason") == reason]
    assert [event["event"] for event in said] == ["request_refused" if who else "credential_refused"]


def test_fault_of_mlflow_is_counted_by_its_reason(two: Portal, upstream: Stub) -> None:
    with grown(two, "hokusai_refusals_total", 1, reason="UPSTREAM_REFUSED"), upstream.not_listening():
        call(two, "GET", SEARCH)


def test_error_of_mlflow_itself_is_counted_as_such(two: Portal, upstream: Stub) -> None:
    upstream.reply(ok(b'{"error_code":"RESOURCE_DOES_NOT_EXIST"}', status="404 Not Found"))
    with grown(two, "hokusai_refusals_total", 1, reason="UPSTREAM_ANSWERED"):
        call(two, "GET", SEARCH)


def test_refusal_of_the_rest_api_is_counted_and_logged_once(two: Portal) -> None:
    start = len(two.log)
    headers = bearer(two, "reader") | {"Content-Type": "application/json"}
    with grown(two, "hokusai_refusals_total", 1, reason="SERVICE_MISMATCH"):
        call(two, "POST", "/api/v1/keys/validate", who=None, headers=headers, body=b'{"service_id": "batch"}')
    assert [event["event"] for event in two.events(start) if event.get("reason")] == ["request_refused"]
    assert value(scrape(two), "hokusai_requests_total", traffic="rest", status="403", service="platform") >= 1


def used(portal: Portal, column: str, **kind: object) -> int:
    """Return the sum of a column of usage over the rows of a kind, as the portal's database has it."""
    where = " AND ".join(f"{name} = ?" for name in kind) or "1"
    with contextlib.closing(sqlite3.connect(portal.home.folder / "portal.sqlite3")) as database:
        query = f"SELECT COALESCE(SUM({column}), 0) FROM apikeys_usage WHERE {where}"
        return int(database.execute(query, list(kind.values())).fetchone()[0])


@pytest.fixture
def user(two: Portal) -> str:
    """Return the public id of a key that nobody else uses, held by "user"."""
    return two.home.issue("user", "--preset", "operator")[:20]


def test_usage_of_both_workers_adds_up(two: Portal, user: str) -> None:
    for _ in range(40):
        call(two, "GET", SEARCH, who="user")
    kind = {"key_id": user, "service_id": "platform", "traffic": "metadata", "status_class": 2}
    eventually(lambda: used(two, "calls", **kind) == 40, lambda: f"{used(two, 'calls', **kind)} of 40")


def test_usage_tells_the_bytes_of_a_transfer(two: Portal, upstream: Stub, user: str) -> None:
    call(two, "PUT", UPLOAD, who="user", body=bytes(1234))
    upstream.reply(chunked_ok(bytes(4321)))
    call(two, "GET", UPLOAD, who="user")
    eventually(lambda: used(two, "calls", key_id=user, traffic="transfer") == 2)
    # The answer to the upload is two bytes of JSON.
    assert (used(two, "bytes_in", key_id=user), used(two, "bytes_out", key_id=user)) == (1234, 4321 + 2)


def test_usage_tells_refusals_of_a_key_and_of_strangers(two: Portal, user: str) -> None:
    # No other test of the portals that share this database has strangers refused for it.
    stranger = {"key_id": "", "reason": "BASIC_MALFORMED"}
    before = used(two, "calls", **stranger)
    call(two, "GET", f"{M}/nowhere", who="user")
    call(two, "GET", SEARCH, who=None, headers={"Authorization": "Basic x"})
    eventually(lambda: used(two, "calls", key_id=user, reason="ROUTE_UNKNOWN", status_class=4) == 1)
    eventually(lambda: used(two, "calls", **stranger) == before + 1)


def test_usage_of_a_worker_that_is_told_to_end_is_written(home: Home, upstream: Stub) -> None:
    public_id = home.issue("leaver", "--preset", "reader")[:20]
    with running(home, upstream, "leaving", HOKUSAI_USAGE_FLUSH_SECONDS="300") as portal:
        call(portal, "GET", SEARCH, who="leaver")
        assert used(portal, "calls", key_id=public_id) == 0
    assert used(portal, "calls", key_id=public_id) == 1


def test_page_that_is_not_there_is_counted(two: Portal) -> None:
    with grown(two, "hokusai_refusals_total", 1, reason="ROUTE_UNKNOWN"):
        call(two, "GET", "/nowhere", who=None)


def test_no_label_holds_what_a_caller_chose(two: Portal) -> None:
    with grown(two, "hokusai_requests_total", 1, method="other", status="405"):
        call(two, "PLANTED", f"{M}/planted-path", headers={"User-Agent": "planted-agent"})
    assert "planted" not in scrape(two).lower()
    assert "hk_" not in scrape(two)
