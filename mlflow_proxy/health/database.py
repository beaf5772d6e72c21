"""Questions to the portal's own database: does it answer, and what time is it there; changes nothing."""

import datetime

from django.db import connection

from apikeys import patience
from apikeys.models import database_now
from mlflow_proxy.health.answers import Outcome, failed, passed

# Far below what S3 bears, and above what a busy machine adds to the way.
BEARABLE_SKEW = datetime.timedelta(seconds=30)
PATIENCE_SECONDS = 2.0


def ask_database() -> Outcome:
    with patience.within(PATIENCE_SECONDS), connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        cursor.fetchone()
    return passed(connection.vendor)


def ask_clock() -> Outcome:
    return compared("the database", database_now(), before=now())


def now() -> datetime.datetime:
    return datetime.datetime.now(tz=datetime.UTC)


def compared(whose: str, theirs: datetime.datetime, *, before: datetime.datetime) -> Outcome:
    """Judge another clock, read at some time between ``before`` and now."""
    middle = before + (now() - before) / 2
    seconds = (theirs - middle).total_seconds()
    told = f"{whose} is {abs(seconds):.0f} s {'ahead' if seconds > 0 else 'behind'}"
    if abs(seconds) > BEARABLE_SKEW.total_seconds():
        return failed("CLOCK_SKEWED", told, f"Set the clocks by NTP: this machine's, and that of {whose}.")
    return passed(told)
