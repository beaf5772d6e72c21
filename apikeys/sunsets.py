"""The headers by which a program learns that its key ends; pure: two moments and a clock become headers.

They warn, and decide nothing: whether a key works is for the database's clock.
"""

import datetime
from email.utils import format_datetime

HEADER = "X-Hokusai-Key-Expires"
NAMES = (HEADER, "Sunset", "Deprecation")
WARNING = datetime.timedelta(days=14)


def headers(
    expires_at: datetime.datetime, replaced_at: datetime.datetime | None, now: datetime.datetime
) -> dict[str, str]:
    """Return what a reply says of a key that ends soon or, since ``replaced_at``, has a successor; else nothing.

    The end comes twice: as in the documents of the API, and as a date of HTTP in ``Sunset`` (RFC 8594). With a
    successor, ``Deprecation`` (RFC 9745) says since when.
    """
    if replaced_at is None and expires_at - now > WARNING:
        return {}
    # Whole seconds, cut off: nobody is promised more than there is.
    end = expires_at.astimezone(datetime.UTC).replace(microsecond=0)
    told = {HEADER: end.isoformat(), "Sunset": format_datetime(end, usegmt=True)}
    return told if replaced_at is None else told | {"Deprecation": f"@{int(replaced_at.timestamp())}"}
