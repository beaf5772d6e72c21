"""What a page shows of the doctor's newest walk, read from the database alone; sends nothing, writes nothing."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from apikeys.models import database_now
from mlflow_proxy.health import walks
from mlflow_proxy.health.answers import Probe
from mlflow_proxy.health.doctor import TITLES
from mlflow_proxy.health.report import lasting
from mlflow_proxy.models import DoctorWalk


@dataclass(frozen=True, slots=True)
class Step:
    """A hop with its title; ``probe`` is None while it has not ended, ``word`` is its status in words."""

    title: str
    word: str
    probe: Probe | None


@dataclass(frozen=True, slots=True)
class WalkReport:
    """The newest walk: a light with its sentence, every hop in order, and the one that failed."""

    walk: DoctorWalk | None
    is_running: bool
    light: str
    sentence: str
    age: str
    seconds: float
    steps: list[Step]
    failure: Step | None

    @property
    def answered(self) -> int:
        return sum(step.probe is not None for step in self.steps)


def report() -> WalkReport:
    """Return the state of the newest walk; ``light`` is ``grey`` before the first, under way, and for half a one."""
    row = walks.newest()
    if row is None:
        return WalkReport(None, False, "grey", "Nobody has let the doctor walk yet.", "", 0.0, [], None)
    now = database_now()
    is_running = walks.is_running(row, now)
    steps = _steps(row, is_running=is_running)
    failure = next((step for step in steps if step.word == "failed"), None)
    light, sentence = _headline(steps, failure, is_running=is_running)
    return WalkReport(
        walk=row,
        is_running=is_running,
        light=light,
        sentence=sentence,
        age=lasting(now - (row.ended_at or row.started_at)),
        seconds=(row.ended_at - row.started_at).total_seconds() if row.ended_at else 0.0,
        steps=steps,
        failure=failure,
    )


def _steps(row: DoctorWalk, *, is_running: bool) -> list[Step]:
    # An answer of an older version may have a name that this one does not know.
    found = {hop["name"]: Probe(**hop) for hop in row.hops if hop["name"] in TITLES}
    is_https = urlsplit(row.portal).scheme == "https"
    names = [name for name in TITLES if is_https or name != "tls"]
    steps = [Step(TITLES[name], found[name].status, found[name]) for name in names if name in found]
    ahead = [name for name in names if name not in found]
    for name in ahead:
        is_now = is_running and name == ahead[0]
        steps.append(Step(TITLES[name], "under way" if is_now else "waiting" if is_running else "not asked", None))
    return steps


def _headline(steps: list[Step], failure: Step | None, *, is_running: bool) -> tuple[str, str]:
    if is_running:
        return "grey", "The doctor walks."
    if failure:
        return "red", f"The first hop that failed is “{failure.title}”."
    if any(step.probe is None for step in steps):
        return "grey", "The last walk came to no end: the process that walked was stopped."
    return "green", "Every hop of a client's way works."
