"""Read the range and entity-tag headers of RFC 9110 for a store that cannot itself; pure, opens nothing."""

import re

from mlflow_proxy.exceptions import RangeRefusedError

# No file is larger than 18 digits can say, and int() refuses thousands of them.
_ONE_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII | re.IGNORECASE)


def single(byte_range: str) -> str:
    """Return a header that asks for one range in its plainest spelling, an empty text for any other header."""
    found = _ONE_RANGE.fullmatch(byte_range.strip())
    first, last = found.groups() if found else ("", "")
    is_backwards = bool(first and last) and int(last) < int(first)
    return "" if is_backwards or not (first or last) else f"bytes={first}-{last}"


def select(byte_range: str, size: int) -> tuple[int, int] | None:
    """Return first and last byte of a single range, None where the header asks for nothing that must be obeyed.

    Raises RangeRefusedError when no byte of ``size`` is inside. Several ranges are answered whole (§14.2 allows it).
    """
    if not (normal := single(byte_range)):
        return None
    first, _, last = normal.removeprefix("bytes=").partition("-")
    if not first:
        begin, end = max(size - int(last), 0), size - 1
        is_inside = int(last) > 0 and size > 0
    else:
        begin, end = int(first), min(int(last), size - 1) if last else size - 1
        is_inside = begin < size
    if not is_inside:
        raise RangeRefusedError(size)
    return begin, end


def names(header: str, etag: str, *, is_strong: bool = False) -> bool:
    """Return whether a list of entity tags, or ``*``, includes this one, compared weakly or strongly (§8.8.3.2)."""
    tags = [tag.strip() for tag in header.split(",")]
    if is_strong:
        return "*" in tags or (etag in tags and not etag.startswith("W/"))
    return any(tag.removeprefix("W/") in {"*", etag.removeprefix("W/")} for tag in tags)
