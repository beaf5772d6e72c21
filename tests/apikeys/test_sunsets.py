"""The headers of a key that ends: in its last 14 days, and once it has a successor."""

import datetime

import pytest

from apikeys import sunsets

NOW = datetime.datetime(2026, 10, 1, 12, 0, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)
SECOND = datetime.timedelta(seconds=1)


@pytest.mark.parametrize("left", [14 * DAY, DAY, SECOND, -SECOND])
def test_headers_of_the_last_days_tell_the_end(left):
    assert set(sunsets.headers(NOW + left, None, NOW)) == {"X-Hokusai-Key-Expires", "Sunset"}


@pytest.mark.parametrize("left", [14 * DAY + SECOND, 90 * DAY])
def test_headers_before_the_last_days_are_none(left):
    assert sunsets.headers(NOW + left, None, NOW) == {}


@pytest.mark.parametrize("left", [DAY, 30 * DAY])
def test_headers_in_grace_tell_the_end_and_since_when(left):
    told = sunsets.headers(NOW + left, NOW - DAY, NOW)
    assert set(told) == set(sunsets.NAMES)
    assert told["Deprecation"] == "@1790769600"


def test_headers_tell_the_end_as_an_instant_in_both_forms():
    told = sunsets.headers(NOW + DAY + datetime.timedelta(microseconds=999_999), None, NOW)
    assert told == {
        "X-Hokusai-Key-Expires": "2026-10-02T12:00:00+00:00",
        "Sunset": "Fri, 02 Oct 2026 12:00:00 GMT",
    }


def test_headers_tell_another_zone_of_the_database_in_utc():
    zone = datetime.timezone(datetime.timedelta(hours=2))
    told = sunsets.headers((NOW + DAY).astimezone(zone), None, NOW)
    assert told["X-Hokusai-Key-Expires"] == "2026-10-02T12:00:00+00:00"
