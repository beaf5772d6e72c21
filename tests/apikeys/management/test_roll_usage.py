"""roll_usage: rolls hours up to days from the command line, and says what it did."""

import datetime
import json
from io import StringIO

import pytest
from django.core.management import call_command
from django.utils import timezone

from apikeys import ledger
from apikeys.models import Usage
from apikeys.rollups import COUNTERS
from apikeys.tallies import Counts, Kind

pytestmark = pytest.mark.django_db


@pytest.fixture
def old_hours():
    """Two hours of one day that is long over."""
    day = timezone.now().replace(hour=0) - ledger.HOURS_KEPT - datetime.timedelta(days=3)
    first = int(day.timestamp() // 3600)
    ledger.add(Counts({Kind(first + n, "platform", "k", "metadata", 2, ""): [1] * len(COUNTERS) for n in (1, 2)}, {}))


def run(*words):
    out = StringIO()
    call_command("roll_usage", *words, stdout=out, no_color=True)
    return out.getvalue()


def test_roll_usage_makes_a_day_of_old_hours(old_hours):
    assert run() == "2 rows of hours became part of 1 days; 0 rows forgotten.\n"
    assert (Usage.objects.get().span, Usage.objects.get().calls) == ("day", 2)


def test_roll_usage_json_says_the_same(old_hours):
    assert json.loads(run("--json")) == {"days": 1, "hours": 2, "forgotten": 0}


def test_roll_usage_with_nothing_to_do_says_so():
    assert json.loads(run("--json")) == {"days": 0, "hours": 0, "forgotten": 0}
