"""Calls over time as columns: every call in its slot, nothing beyond the ends, heights by the highest."""

import datetime

import pytest

from apikeys import charts

NOW = datetime.datetime(2026, 11, 25, 21, 40, tzinfo=datetime.UTC)
HOUR = datetime.timedelta(hours=1)


def hour(ago, calls, refused=0, failed=0, received=0, sent=0):
    return {
        "begins_at": NOW.replace(minute=0) - ago * HOUR,
        "total_calls": calls,
        "refused_calls": refused,
        "failed_calls": failed,
        "total_bytes_in": received,
        "total_bytes_out": sent,
    }


def draw(*hours, slot=HOUR, slots=24):
    return charts.draw(hours, NOW, slot, slots)


def test_running_hour_is_the_last_slot():
    chart = draw(hour(0, 3), hour(23, 5))
    assert [column.x for column in chart.columns] == [0, 23]
    assert chart.start == NOW.replace(minute=0) - 23 * HOUR


def test_hour_before_the_chart_is_left_out_of_columns_and_totals():
    assert draw(hour(24, 7)).totals["calls"] == 0
    assert draw(hour(24, 7)).columns == []


def test_hours_of_one_slot_are_one_column():
    (column,) = draw(hour(0, 3), hour(1, 4), slot=6 * HOUR, slots=28).columns
    assert column.x == 27
    assert "7 served" in column.title


def test_highest_column_reaches_the_top_and_half_of_it_the_middle():
    chart = draw(hour(0, 10), hour(1, 5))
    assert chart.highest == 10
    assert [(segment.y, segment.height) for column in chart.columns for segment in column.segments] == [
        (50, 50),
        (0, 100),
    ]


def test_segments_stand_on_each_other_and_an_empty_kind_has_none():
    (column,) = draw(hour(0, 10, refused=2, failed=3)).columns
    assert [(segment.kind, segment.y, segment.height) for segment in column.segments] == [
        *(("served", 50, 50), ("refused", 30, 20), ("failed", 0, 30)),
    ]
    assert [segment.kind for segment in draw(hour(0, 4)).columns[0].segments] == ["served"]


def test_totals_add_up_calls_and_bytes():
    totals = draw(hour(0, 10, 2, 3, 100, 7), hour(5, 1, 1, 0, 20, 3)).totals
    assert totals == {"calls": 11, "refused": 3, "failed": 3, "bytes_in": 120, "bytes_out": 10}


@pytest.mark.parametrize(
    ("hours", "sentence"),
    [
        ((), "0 calls, 0 refused, 0 failed"),
        ((hour(0, 1),), "1 call, 0 refused, 0 failed"),
        ((hour(0, 12345, 6, 7),), "12,345 calls, 6 refused, 7 failed"),
    ],
)
def test_summary_tells_the_chart_in_words(hours, sentence):
    assert draw(*hours).summary == sentence
