"""The page of measurements shows the committed result, and the chart is drawn from the same."""

from bench import chart, document, report
from bench.results import MLFLOW, PORTAL


def test_page_shows_the_committed_result():
    result = document.committed()
    assert document.page_with(result, document.PAGE.read_text()) == document.PAGE.read_text()
    assert report.markdown(result) in document.PAGE.read_text()


def test_chart_is_drawn_from_the_committed_result():
    assert chart.draw(document.committed()) == document.CHART.read_text()


def test_result_holds_both_halves_side_by_side():
    for name in ("experiments/get, spaced, time", "runs/log-metric, 16 connections, rate", "upload, 1 GiB"):
        measure = document.committed().by_name()[name]
        assert len(measure.values[PORTAL]) == len(measure.values[MLFLOW]) >= 2
