"""Read the range and entity-tag headers of RFC 9110 for a store that cannot itself; pure, opens nothing."""

import re

from mlflow_proxy.exceptions import RangeRefusedError

_ONE_RANGE = re.compile(r"bytes=(\d*)-(\d*)", re.ASCII)


def select(byte_range: str, size: int) -> tuple[int, int] | None:
    """Return first and last byte of a single range, None where the header asks for nothing that must be obeyed.

    Raises RangeRefusedError when no byte of ``size`` is inside. Several ranges are answered whole (§14.2 allows it).
    """
    found = _ONE_RANGE.fullmatch(byte_range.strip())
    if found is None or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if not first:
        begin, end = max(size - int(last), 0), size - 1
        is_inside = int(last) > 0 and size > 0
    else:
        begin, end = int(first), min(int(last), size - 1) if last else size - 1
        if last and int(last) < begin:
            return None
        is_inside = begin < size
    if not is_inside:
        raise RangeRefusedError(size)
    return begin, end


def names(header: str, etag: str) -> bool:
    """Return whether a list of entity tags, or ``*``, includes this one, compared weakly (§8.8.3.2)."""
    tags = (tag.strip().removeprefix("W/") for tag in header.split(","))
    return any(tag in {"*", etag.removeprefix("W/")} for tag in tags)
