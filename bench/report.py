"""Writes a result for people: an aligned table for the screen, the same as Markdown, the verdicts; measures nothing."""

from collections.abc import Iterable

from bench.results import BOTO3, MLFLOW, TARGETS, Measure, Result, Spread, Target

HEAD = ("measure", "side", "low", "median", "high", "× MLflow", "× boto3")


def text(result: Result) -> str:
    """Return what ``make bench`` prints at its end."""
    lines = _aligned([HEAD, *_rows(result)])
    verdicts = _aligned([("", "target", "measured"), *_verdicts(result)])
    missing = [f"not measured: {side}: {reason}" for side, reason in result.unmeasured.items()]
    return "\n".join([*lines, "", *verdicts, "", *missing])


def markdown(result: Result) -> str:
    """Return the machine, the table and the verdicts as docs/performance.md shows them."""
    machine = _markdown([("machine", ""), *result.machine.items()])
    missing = [f"Not measured: {side}. {reason}." for side, reason in result.unmeasured.items()]
    verdicts = _markdown([("", "target", "measured"), *_verdicts(result)])
    return "\n".join(
        [*machine, "", *_markdown([HEAD, *_rows(result)]), "", *verdicts, *([""] * bool(missing)), *missing]
    )


def floors_hold(result: Result) -> bool:
    measures = result.by_name()
    return all(target.verdict(measures) != "missed" for target in TARGETS if target.kind == "floor")


def _rows(result: Result) -> Iterable[tuple[str, ...]]:
    for measure in result.measures:
        for place, side in enumerate(measure.values):
            spread = measure.spread(side)
            numbers = (_number(spread.low), f"{_number(spread.middle)} {measure.unit}", _number(spread.high))
            ratios = (_ratio(measure, side, MLFLOW), _ratio(measure, side, BOTO3))
            yield ("" if place else measure.name, side, *numbers, *ratios)


def _verdicts(result: Result) -> Iterable[tuple[str, str, str]]:
    measures = result.by_name()
    for target in TARGETS:
        reached = target.reached(measures)
        unit = "×" if target.against else f" {measures[target.measure].unit}" if reached is not None else ""
        yield (
            f"{target.kind} {target.verdict(measures)}",
            aim(target),
            "–" if reached is None else f"{_number(reached)}{unit}",
        )


def aim(target: Target) -> str:
    """Return a target as a sentence: ``runs/search, spaced, time: portal ≤ 1.4 × MLflow alone``."""
    bound = f"{target.bound:g}" + (f" × {target.against}" if target.against else "")
    return f"{target.measure}: {target.side} {target.sense} {bound}"


def _ratio(measure: Measure, side: str, against: str) -> str:
    spread = measure.ratio(side, against)
    return "" if spread is None or side == against else _spread(spread)


def _spread(spread: Spread) -> str:
    return f"{spread.middle:.2f} ({spread.low:.2f}–{spread.high:.2f})"


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 or value == int(value) else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _aligned(rows: Iterable[tuple[str, ...]]) -> list[str]:
    listed = list(rows)
    widths = [max(map(len, column)) for column in zip(*listed, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in listed]


def _markdown(rows: Iterable[tuple[str, ...]]) -> list[str]:
    head, *body = rows
    return [f"| {' | '.join(row)} |" for row in (head, ("---",) * len(head), *body)]
