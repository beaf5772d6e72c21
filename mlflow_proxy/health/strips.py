"""A strip of lights over time as bars to draw; pure: times and lights in, positions out."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from mlflow_proxy.health.lights import worse

WORDS = {"green": "well", "amber": "wanted attention", "red": "failed", "": "not checked"}


@dataclass(frozen=True, slots=True)
class Bar:
    """Slots in a row with one light; ``x`` and ``width`` count slots, ``light`` is empty where nobody looked."""

    x: int
    width: int
    light: str
    title: str


@dataclass(frozen=True, slots=True)
class Strip:
    """``slots`` of equal length from ``start`` on, as bars."""

    start: datetime.datetime
    slot: datetime.timedelta
    slots: int
    bars: list[Bar]

    @property
    def summary(self) -> str:
        """What somebody who does not see the strip is told."""
        lengths = {light: sum(bar.width for bar in self.bars if bar.light == light) for light in WORDS}
        shares = [f"{100 * length / self.slots:.0f} % {WORDS[light]}" for light, length in lengths.items() if length]
        return ", ".join(shares)


def draw(
    lit: Sequence[tuple[datetime.datetime, str]],
    end: datetime.datetime,
    slot: datetime.timedelta,
    slots: int,
    hold: datetime.timedelta,
) -> Strip:
    """Return the strip that ends with the slot of ``end``.

    A slot has the worst light of its checks; one without has the last light before, for no longer than ``hold``.
    """
    start = _floor(end, slot) - (slots - 1) * slot
    lights = [""] * slots
    for at, light in lit:
        number = (at - start) // slot
        if 0 <= number < slots:
            lights[number] = worse(lights[number], light)
    return Strip(start, slot, slots, _bars(_held(lights, hold // slot), start, slot))


def _held(lights: list[str], count: int) -> list[str]:
    held, age = list(lights), 0
    for number in range(1, len(lights)):
        age = 0 if lights[number] else age + 1
        if not lights[number] and age <= count:
            held[number] = held[number - 1]
    return held


def _bars(lights: list[str], start: datetime.datetime, slot: datetime.timedelta) -> list[Bar]:
    edges = [number for number in range(len(lights)) if number == 0 or lights[number] != lights[number - 1]]
    return [
        Bar(first, last - first, lights[first], _title(lights[first], start + first * slot, start + last * slot))
        for first, last in zip(edges, [*edges[1:], len(lights)], strict=True)
    ]


def _title(light: str, since: datetime.datetime, until: datetime.datetime) -> str:
    shown = f"{until:%H:%M}" if until.date() == since.date() else f"{until:%-d %b %H:%M}"
    return f"{since:%-d %b %H:%M} to {shown} UTC: {WORDS[light]}"


def _floor(moment: datetime.datetime, slot: datetime.timedelta) -> datetime.datetime:
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + (moment - midnight) // slot * slot
