"""What was measured, as numbers: values by side and round, their ratios, and what was aimed at; measures nothing."""

import statistics
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

MLFLOW, PREFIXED, BOTO3 = "MLflow alone", "MLflow alone, prefixed", "boto3"
PORTAL, FORWARDING, NGINX, BASIC_AUTH = "portal", "portal, proxy mode", "nginx", "MLflow basic-auth"


@dataclass(frozen=True)
class Spread:
    """Least, median and largest of some values."""

    low: float
    middle: float
    high: float

    @classmethod
    def of(cls, values: list[float]) -> "Spread":
        return cls(min(values), statistics.median(values), max(values))


@dataclass(frozen=True)
class Measure:
    """One quantity: a value for each side and round; the sides of a round stand next to each other in time."""

    name: str
    unit: str
    values: dict[str, list[float]]

    def spread(self, side: str) -> Spread:
        return Spread.of(self.values[side])

    def ratio(self, side: str, against: str) -> Spread | None:
        """Return a side as a multiple of another, round by round; None where there is nothing to divide by."""
        ours, theirs = self.values.get(side, []), self.values.get(against, [])
        if not ours or not theirs or not all(theirs):
            return None
        return Spread.of([one / other for one, other in zip(ours, theirs, strict=True)])


@dataclass(frozen=True)
class Target:
    """What a measure should be: ``bound`` times another side, or ``bound`` itself in the measure's unit."""

    kind: Literal["floor", "goal"]
    measure: str
    side: str
    sense: Literal["≤", "≥"]
    bound: float
    against: str | None = None

    def reached(self, measures: dict[str, Measure]) -> float | None:
        """Return what was measured: the median of ratios, the largest of plain values; None where it was not."""
        measure = measures.get(self.measure)
        if measure is None or self.side not in measure.values:
            return None
        if self.against is None:
            return measure.spread(self.side).high
        ratio = measure.ratio(self.side, self.against)
        return ratio and ratio.middle

    def verdict(self, measures: dict[str, Measure]) -> str:
        reached = self.reached(measures)
        if reached is None:
            return "not measured"
        return "met" if (reached <= self.bound if self.sense == "≤" else reached >= self.bound) else "missed"


def _metadata_targets() -> Iterator[Target]:
    for call in ("experiments/get", "runs/log-metric", "runs/search"):
        yield Target("floor", f"{call}, 1 connection, time", PORTAL, "≤", 0.5, MLFLOW)
        yield Target("floor", f"{call}, spaced, time", PORTAL, "≤", 1.4, MLFLOW)
        yield Target("floor", f"{call}, 16 connections, rate", PORTAL, "≥", 0.9, MLFLOW)
        yield Target("goal", f"{call}, spaced, time", PORTAL, "≤", 1.15, MLFLOW)
        yield Target("goal", f"{call}, 16 connections, rate", PORTAL, "≥", 1.0, MLFLOW)
        yield Target("goal", f"{call}, 16 connections, rate", PORTAL, "≥", 1.0, NGINX)
        yield Target("goal", f"{call}, 16 connections, rate", PORTAL, "≥", 15.0, BASIC_AUTH)


TARGETS = (
    *_metadata_targets(),
    Target("floor", "upload, 1 GiB", PORTAL, "≥", 0.85, BOTO3),
    Target("floor", "download, 1 GiB", PORTAL, "≥", 0.85, BOTO3),
    Target("goal", "upload, 1 GiB", PORTAL, "≥", 0.9, BOTO3),
    Target("goal", "download, 1 GiB", PORTAL, "≥", 0.9, BOTO3),
    Target("goal", "upload, 1 GiB", PORTAL, "≥", 1.8, PREFIXED),
    Target("goal", "download, 1 GiB", PORTAL, "≥", 1.4, MLFLOW),
    Target("goal", "download, 1 GiB, first byte", PORTAL, "≤", 0.05, MLFLOW),
    Target("goal", "upload, 8 at once, memory growth", PORTAL, "≤", 64),
    Target("goal", "download, 8 at once, memory growth", PORTAL, "≤", 64),
    Target("goal", "upload, 8 at once, temporary files", PORTAL, "≤", 0),
    Target("goal", "download, 8 at once, temporary files", PORTAL, "≤", 0),
)


@dataclass(frozen=True)
class Result:
    """A run: the machine, the measures, and the sides that could not be measured, with the reason."""

    machine: dict[str, str]
    measures: list[Measure] = field(default_factory=list)
    unmeasured: dict[str, str] = field(default_factory=dict)

    def by_name(self) -> dict[str, Measure]:
        return {measure.name: measure for measure in self.measures}

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "Result":
        measures = [Measure(**measure) for measure in document["measures"]]
        return cls(document["machine"], measures, document["unmeasured"])
