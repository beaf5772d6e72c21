"""The report of a page: one light, what to do, since when; and its text for somebody who helps."""

import datetime

import pytest

from mlflow_proxy.health import diagnostics, history, report
from mlflow_proxy.health.answers import Probe
from mlflow_proxy.health.guide import CHAPTERS, GUIDES

pytestmark = pytest.mark.django_db

NOW = datetime.datetime(2026, 11, 20, 12, 30, tzinfo=datetime.UTC)
MINUTE = datetime.timedelta(minutes=1)
SECRET = "hk_live_" + "A" * 12 + "B" * 34 + "C" * 6


def probe(name, reason="", hint=""):
    return Probe(name, "failed" if reason else "passed", 12.3, reason=reason, detail="what was found", hint=hint)


@pytest.fixture(autouse=True)
def _clock(monkeypatch):
    monkeypatch.setattr(report, "database_now", lambda: NOW)


@pytest.fixture
def check(monkeypatch):
    def make(ago, *probes):
        monkeypatch.setattr(history, "database_now", lambda: NOW - ago * MINUTE)
        row = history.begin("worker", len(probes))
        history.end(row, probes)
        return row

    return make


def test_report_before_any_check_asks_for_the_worker():
    found = report.report()
    assert (found.light, found.check, found.chapters) == ("grey", None, [])
    assert "Is the worker running?" in found.sentence


def test_report_of_a_good_check_is_green(check):
    check(2, probe("mlflow"), probe("database"))
    found = report.report()
    assert (found.light, found.sentence, found.age, found.to_do) == ("green", "Artifacts work.", "2 minutes", [])


def test_report_of_an_old_check_is_not_known_any_more(check, settings):
    settings.HOKUSAI_STORAGE_CHECK_SECONDS = 300
    check(16, probe("mlflow"))
    found = report.report()
    assert found.light == "grey"
    assert "The last check is 16 minutes old" in found.sentence


def test_to_do_has_the_weightiest_first(check):
    check(1, probe("bucket_versioning", "BUCKET_UNVERSIONED", "h"), probe("mlflow", "UPSTREAM_REFUSED", "h"))
    assert [row.probe.name for row in report.report().to_do] == ["mlflow", "bucket_versioning"]


def test_row_says_since_when_its_answer_stands(check):
    check(65, probe("mlflow"))
    check(61, probe("mlflow", "UPSTREAM_REFUSED", "h"))
    check(1, probe("mlflow", "UPSTREAM_REFUSED", "h"))
    (row,) = report.report().to_do
    assert (row.since, row.lasting) == (NOW - 61 * MINUTE, "1 hour")


def test_chapters_keep_their_order_and_leave_empty_ones_out(check):
    check(1, probe("mlflow"), probe("database"))
    found = [(title, [row.probe.name for row in rows]) for title, rows in report.report().chapters]
    assert found == [("The portal", ["database"]), ("MLflow", ["mlflow"])]


def test_every_probe_has_one_chapter():
    names = [name for chapter in CHAPTERS.values() for name in chapter]
    assert sorted(names) == sorted(GUIDES)


def test_answer_of_an_unknown_name_is_left_out(check):
    row = check(1, probe("mlflow"))
    row.answers.append({"name": "of_another_version", "status": "failed", "latency_ms": 1.0})
    row.save()
    assert [probe.name for _, rows in report.report().chapters for probe in (row.probe for row in rows)] == ["mlflow"]


def test_progress_counts_the_answers_so_far(monkeypatch):
    monkeypatch.setattr(history, "database_now", lambda: NOW)
    row = history.begin("page: alice", 24)
    history.note(row, [probe("mlflow")])
    assert report.report().progress == report.Progress(1, 24, "page: alice")


def test_report_costs_the_same_however_long_the_history(check, django_assert_max_num_queries):
    for minute in range(200, 0, -5):
        check(minute, probe("mlflow"), probe("database"))
    with django_assert_max_num_queries(8):
        report.report()


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (datetime.timedelta(seconds=5), "a moment"),
        (datetime.timedelta(seconds=60), "1 minute"),
        (datetime.timedelta(minutes=59), "59 minutes"),
        (datetime.timedelta(hours=1), "1 hour"),
        (datetime.timedelta(hours=47), "1 day"),
        (datetime.timedelta(days=3), "3 days"),
    ],
)
def test_span_is_said_as_people_say_it(span, words):
    assert report.lasting(span) == words


def test_diagnostics_say_everything_in_plain_text(check):
    check(61, probe("mlflow", "UPSTREAM_REFUSED", "Nothing listens there."), probe("database"))
    check(1, probe("mlflow", "UPSTREAM_REFUSED", "Nothing listens there."), probe("database"))
    text = diagnostics.text_of(report.report(), {"Mode": "direct"})
    assert text.startswith("Hokusai Portal: storage health is red\nMLflow does not answer as it should.\n")
    for part in (
        "Mode: direct",
        "failed  mlflow",
        "UPSTREAM_REFUSED",
        "since 2026-11-20 11:29",
        "Nothing listens there.",
    ):
        assert part in text


def test_diagnostics_hold_no_key_whatever_a_store_says(check):
    check(1, Probe("mlflow", "failed", 1.0, reason="R", detail=f"said {SECRET}", hint="h"))
    text = diagnostics.text_of(report.report(), {})
    assert SECRET not in text
    assert "hk_live_AAAAAAAAAAAA" in text


def test_diagnostics_are_the_same_for_the_same_report(check):
    check(1, probe("mlflow"))
    found = report.report()
    assert diagnostics.text_of(found, {}) == diagnostics.text_of(found, {})
