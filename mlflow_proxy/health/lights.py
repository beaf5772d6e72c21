"""What many answers come to: one light and one sentence; pure, and keeps nothing."""

from collections.abc import Sequence
from typing import Literal

from mlflow_proxy.health.answers import Probe
from mlflow_proxy.health.guide import GUIDES, Weight

Light = Literal["green", "amber", "red"]
_ORDER: tuple[Weight, ...] = ("critical", "major", "minor")


def light_of(probes: Sequence[Probe]) -> Light:
    """Red: artifacts do not work as they should. Amber: they do, and something wants attention, or is not known."""
    if any(probe.status == "failed" and weight_of(probe) != "minor" for probe in probes):
        return "red"
    is_amber = any(probe.status == "failed" or (not probe.passed and weight_of(probe) != "minor") for probe in probes)
    return "amber" if is_amber else "green"


def sentence_of(probes: Sequence[Probe]) -> str:
    """Return the light in words: the weightiest failure, and how many more there are."""
    failures = failures_of(probes)
    open_questions = sum(probe.status == "unknown" for probe in probes)
    works = "" if light_of(probes) == "red" else "Artifacts work. "
    more = f" And {len(failures) - 1} more." if len(failures) > 1 else ""
    if failures:
        return f"{works}{GUIDES[failures[0].name].failure}{more}"
    if open_questions:
        return f"{works}{open_questions} question{' is' if open_questions == 1 else 's are'} open."
    return works.strip()


def failures_of(probes: Sequence[Probe]) -> list[Probe]:
    """Return what failed, the weightiest first."""
    failed = (probe for probe in probes if probe.status == "failed")
    return sorted(failed, key=lambda probe: _ORDER.index(weight_of(probe)))


def weight_of(probe: Probe) -> Weight:
    return GUIDES[probe.name].weight


def worse(first: str, second: str) -> str:
    """Return the worse of two lights; an empty one is none."""
    order = ("", "green", "amber", "red")
    return max(first, second, key=order.index)
