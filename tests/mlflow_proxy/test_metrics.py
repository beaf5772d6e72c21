"""Metrics: what is counted under which labels, that no caller can add a label, and what a scraper may ask for."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from structlog.testing import capture_logs

from apikeys.calls import FinishedCall
from mlflow_proxy import metrics
from mlflow_proxy.reasons import REASONS
from tests.mlflow_proxy.portal import ROOT
from tests.mlflow_proxy.samples import counted

CALL = FinishedCall("platform", "hk_live_x", "transfer", "PUT", 201, "", 10, 20, 0.02, "curl/8")
# What Prometheus 2 and 3 send.
PROMETHEUS_2 = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)


def test_call_is_counted_by_service_traffic_method_and_status() -> None:
    with counted("hokusai_requests_total", service="platform", traffic="transfer", method="PUT", status="201"):
        metrics.count(CALL)


def test_call_is_timed_by_traffic() -> None:
    name = "hokusai_request_seconds_bucket"
    with counted(name, traffic="transfer", le="0.025"), counted(name, by=0, traffic="transfer", le="0.01"):
        metrics.count(CALL)


@pytest.mark.parametrize(("direction", "size"), [("in", 10), ("out", 20)])
def test_bytes_are_counted_by_direction(direction: str, size: int) -> None:
    with counted("hokusai_body_bytes_total", by=size, direction=direction, traffic="transfer"):
        metrics.count(CALL)


def test_call_that_went_well_is_no_refusal() -> None:
    with counted("hokusai_refusals_total", by=0):
        metrics.count(CALL)


def test_refusal_is_counted_by_its_reason() -> None:
    with counted("hokusai_refusals_total", reason="SCOPE_MISSING"):
        metrics.count(CALL._replace(reason="SCOPE_MISSING"))


@pytest.mark.parametrize(
    ("change", "name", "label"),
    [
        ({"method": "hk_live_secret"}, "hokusai_requests_total", "method"),
        ({"traffic": "/a/path"}, "hokusai_requests_total", "traffic"),
        ({"status": 777}, "hokusai_requests_total", "status"),
        ({"reason": "surprise"}, "hokusai_refusals_total", "reason"),
    ],
)
def test_word_that_is_not_listed_is_other(change: dict[str, Any], name: str, label: str) -> None:
    with counted(name, **{label: "other"}):
        metrics.count(CALL._replace(**change))
    (word,) = change.values()
    assert f'"{word}"' not in metrics.exposition("")[0].decode()


def test_upstream_is_timed_whatever_becomes_of_it() -> None:
    is_counted, is_raised = counted("hokusai_upstream_seconds_count", traffic="stream"), pytest.raises(RuntimeError)
    with is_counted, is_raised, metrics.timed_upstream("stream"):
        raise RuntimeError


def test_presigned_addresses_are_counted_one_by_one() -> None:
    with counted("hokusai_presigned_urls_total", by=7, method="PUT"):
        metrics.count_presigned("PUT", 7)


def test_every_reason_can_be_counted_and_none_else() -> None:
    for reason in (*REASONS, "SURPRISE"):
        metrics.count_store_fault(reason)
    (family,) = metrics.STORE_FAULTS.collect()
    assert {sample.labels["reason"] for sample in family.samples} == REASONS | {"other"}


def test_counting_again_finds_no_label_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    metrics.count(CALL._replace(reason="INTERNAL"))

    def look_up(*labels: str) -> None:
        pytest.fail(f"looked {labels} up again")

    for metric in metrics.METRICS:
        monkeypatch.setattr(metric, "labels", look_up)
    metrics.count(CALL._replace(reason="INTERNAL"))


@pytest.mark.parametrize("accept", ["", "*/*", "text/html", PROMETHEUS_2, PROMETHEUS_3])
def test_exposition_is_of_the_type_it_says(accept: str) -> None:
    metrics.count(CALL)
    text, content_type = metrics.exposition(accept)
    is_open = content_type.startswith("application/openmetrics-text; version=1.0.0; charset=utf-8")
    assert is_open == ("openmetrics" in accept)
    assert is_open or content_type.startswith("text/plain; version=")
    families = {family.name for family in (parse_openmetrics if is_open else parse_text)(text.decode())}
    assert {"hokusai_requests", "hokusai_request_seconds"} <= families


@pytest.mark.parametrize("version", ["x", "", "1.x", "1.0.0;q", "-1"])
def test_exposition_version_that_is_none_is_answered_all_the_same(version: str) -> None:
    for kind in ("text/plain", "application/openmetrics-text"):
        assert b"# TYPE" in metrics.exposition(f"{kind};version={version}")[0]


def test_exposition_names_only_what_is_listed() -> None:
    listed = {family.name for metric in metrics.METRICS for family in metric.describe()}
    found = {family.name.removesuffix("_created") for family in parse_text(metrics.exposition("")[0].decode())}
    assert found <= listed


def test_label_that_cannot_be_made_fails_no_call(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*labels: str) -> None:
        raise OSError

    metrics._child.cache_clear()
    with monkeypatch.context() as patch, capture_logs() as logs:
        patch.setattr(metrics.UPSTREAM_SECONDS, "labels", fail)
        with metrics.timed_upstream("stream"):
            pass
    metrics._child.cache_clear()
    assert [line["event"] for line in logs] == ["call_not_counted"]


@pytest.fixture
def _unreserved(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A process of which nothing is known yet, and that is forgotten afterwards."""
    monkeypatch.setattr(metrics, "_folder", None)
    monkeypatch.setattr(metrics, "_has_room", True)
    metrics._child.cache_clear()
    yield
    metrics._child.cache_clear()


@pytest.mark.usefixtures("_unreserved")
def test_reserve_takes_the_room_before_it_is_needed(tmp_path: Path) -> None:
    metrics.reserve(tmp_path, 7)
    files = {path.name: path.stat() for path in tmp_path.iterdir()}
    assert files.keys() == {*("counter_7.db", "histogram_7.db", "gauge_livesum_7.db", "gauge_livemostrecent_7.db")}
    # Blocks of the disk, not a hole in a file.
    assert all(facts.st_blocks * 512 >= metrics.RESERVED_BYTES for facts in files.values())


@pytest.mark.usefixtures("_unreserved")
def test_reserve_leaves_alone_what_an_earlier_worker_has_counted(tmp_path: Path) -> None:
    (tmp_path / "counter_7.db").write_bytes(b"counted")
    metrics.reserve(tmp_path, 7)
    assert (tmp_path / "counter_7.db").read_bytes() == b"counted"


@pytest.mark.usefixtures("_unreserved")
def test_reserve_without_room_counts_nothing_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "counter_7.draft").mkdir()
    with capture_logs() as logs:
        metrics.reserve(tmp_path, 7)
    monkeypatch.setattr(metrics, "_folder", None)
    with counted("hokusai_requests_total", by=0), counted("hokusai_request_seconds_count", by=0):
        metrics.count(CALL)
    assert [line["event"] for line in logs] == ["metrics_disabled"]


ON_A_FULL_DISK = """
import os, sys
from pathlib import Path
folder, is_full_before = Path(sys.argv[1]), sys.argv[2] == "before"
os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
from apikeys.calls import FinishedCall
from mlflow_proxy import metrics
def fill():
    try:
        with (folder / "full").open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
    except OSError:
        pass
if is_full_before:
    fill()
metrics.reserve(folder, os.getpid())
fill()
for status in range(100, 600):
    metrics.count(FinishedCall("platform", "", "transfer", "PUT", status, "STORE_FULL", 1, 1, 0.1, ""))
text, _ = metrics.exposition("")
print(text.count(b"hokusai_requests_total{"))
"""


@pytest.mark.parametrize(("full", "lines"), [("after", 500), ("before", 0)])
def test_full_disk_ends_no_worker(tmp_path: Path, full: str, lines: int) -> None:
    unshare = shutil.which("unshare")
    script = 'mount -t tmpfs -o size=4m none "$1" && shift && exec "$@"'
    command = [unshare or "unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, "sh", str(tmp_path)]
    if unshare is None or subprocess.run([*command, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine mounts no file system of 4 MiB for a test (unshare --user --mount)")
    run = [*command, sys.executable, "-c", ON_A_FULL_DISK, str(tmp_path), full]
    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.splitlines()[-1:]) == (0, [str(lines)]), done.stderr
