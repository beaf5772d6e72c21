"""Calls over time as the columns of a chart; pure: totals in, positions out."""

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

# From the bottom up; what a caller and what an operator should look at comes on top, where it is seen.
KINDS = ("served", "refused", "failed")
HEIGHT = 100


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a column: ``y`` from the top and ``height``, in units of HEIGHT."""

    kind: str
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Column:
    """A slot of time; ``x`` counts slots."""

    x: int
    segments: list[Segment]
    title: str


@dataclass(frozen=True, slots=True)
class Chart:
    """``slots`` of equal length from ``start`` on; ``highest`` is the number of calls that reach HEIGHT."""

    start: datetime.datetime
    slots: int
    highest: int
    columns: list[Column]
    totals: Mapping[str, int]

    @property
    def summary(self) -> str:
        """What somebody who does not see the chart is told."""
        calls, refused, failed = (self.totals[name] for name in ("calls", "refused", "failed"))
        return f"{calls:,} call{'' if calls == 1 else 's'}, {refused:,} refused, {failed:,} failed"


def draw(hours: Iterable[Mapping[str, Any]], end: datetime.datetime, slot: datetime.timedelta, slots: int) -> Chart:
    """Return the chart that ends with the slot of ``end``; ``hours`` are rows of ``UsageQuerySet.by_hour``."""
    start = _floor(end, slot) - (slots - 1) * slot
    counts = [dict.fromkeys(KINDS, 0) for _ in range(slots)]
    totals = dict.fromkeys(("calls", "refused", "failed", "bytes_in", "bytes_out"), 0)
    for hour in hours:
        number = (hour["begins_at"] - start) // slot
        if not 0 <= number < slots:
            continue
        calls, refused, failed = hour["total_calls"], hour["refused_calls"], hour["failed_calls"]
        for kind, count in zip(KINDS, (calls - refused - failed, refused, failed), strict=True):
            counts[number][kind] += count
        found = (calls, refused, failed, hour["total_bytes_in"], hour["total_bytes_out"])
        totals = {name: total + more for (name, total), more in zip(totals.items(), found, strict=True)}
    highest = max(1, *(sum(count.values()) for count in counts))
    columns = [
        Column(x, _segments(count, highest), _title(count, start + x * slot, slot))
        for x, count in enumerate(counts)
        if any(count.values())
    ]
    return Chart(start, slots, highest, columns, totals)


def _segments(count: Mapping[str, int], highest: int) -> list[Segment]:
    segments, top = [], float(HEIGHT)
    for kind, calls in count.items():
        height = HEIGHT * calls / highest
        top -= height
        if calls:
            segments.append(Segment(kind, round(top, 2), round(height, 2)))
    return segments


def _title(count: Mapping[str, int], begins_at: datetime.datetime, slot: datetime.timedelta) -> str:
    said = ", ".join(f"{calls:,} {kind}" for kind, calls in count.items() if calls)
    return f"{begins_at:%-d %b %H:%M} to {begins_at + slot:%H:%M} UTC: {said}"


def _floor(moment: datetime.datetime, slot: datetime.timedelta) -> datetime.datetime:
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + (moment - midnight) // slot * slot
