"""Output: tables line up, and JSON holds times with their offset."""

import datetime
import json

from hypothesis import given
from hypothesis import strategies as st

from apikeys.management.output import as_json, as_table

WHEN = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
cells = st.text("abc", max_size=9)


def test_as_json_time_is_iso_with_offset():
    assert json.loads(as_json({"at": WHEN})) == {"at": "2026-01-02T03:04:05+00:00"}


def test_as_json_keeps_names_readable():
    assert "Žofie" in as_json(["Žofie"])


def test_as_table_empty_cell_is_a_dash():
    assert as_table(["A", "B"], [["", None]]).splitlines()[1].split() == ["-", "-"]


def test_as_table_time_has_minutes():
    assert "2026-01-02 03:04" in as_table(["AT"], [[WHEN]])


@given(st.lists(st.tuples(cells, cells), min_size=1))
def test_as_table_second_column_starts_below_its_heading(rows):
    heading, *lines = as_table(["FIRST", "SECOND"], rows).splitlines()
    column = heading.index("SECOND")
    assert [line[column:] for line in lines] == [second or "-" for _, second in rows]
