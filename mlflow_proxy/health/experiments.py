"""Where experiments keep their artifacts, as MLflow tells; reads a bounded number of pages and changes nothing."""

import re
from collections import Counter
from collections.abc import Iterator
from urllib.parse import urlencode

from mlflow_proxy import conf
from mlflow_proxy.exceptions import UpstreamGarbledError
from mlflow_proxy.health.answers import Outcome, Probe, ask, failed, passed, unknown
from mlflow_proxy.health.mlflow import call, parsed

PAGE, PAGES = 1000, 20
PAGE_SECONDS, MAXIMUM_PAGE_BYTES = 10.0, 16 * 1024**2
BEHIND = "mlflow-artifacts"
SCHEMES_SHOWN = 6
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):/")


def walk() -> Iterator[Probe]:
    yield ask("artifact_root", ask_root, on_fault="unknown")
    yield ask("experiment_locations", ask_locations, on_fault="unknown")


def ask_root() -> Outcome:
    """Judge the root by the newest experiment: the portal lets nobody choose a location, so it shows the default."""
    found, _ = _page(max_results="1", order_by="creation_time DESC")
    if not found:
        hint = "Ask again when there is an experiment: its address shows the default."
        return unknown("NOT_ASKED", "there is no experiment", hint)
    location = str(found[0].get("artifact_location"))
    if scheme_of(location) == BEHIND:
        return passed(f"the newest one is at {location}")
    hint = "Start MLflow with --default-artifact-root mlflow-artifacts:/ and the store in --artifacts-destination."
    told = f"the newest experiment, {found[0].get('experiment_id')}, is at {location}"
    return failed("ARTIFACT_ROOT_EXPOSED", told, hint)


def ask_locations() -> Outcome:
    counts, is_whole = count_by_scheme()
    told = ", ".join(f"{scheme} {count}" for scheme, count in counts.most_common(SCHEMES_SHOWN))
    told = told if is_whole else f"{told}; only the first {counts.total()} were looked at"
    if elsewhere := counts.total() - counts[BEHIND]:
        hint = (
            "See docs/operations.md, old experiments: their rows can be moved, or their clients need the store's keys."
        )
        return failed("EXPERIMENTS_ELSEWHERE", f"{elsewhere} of {counts.total()} elsewhere: {told}", hint)
    return passed(told)


def count_by_scheme() -> tuple[Counter[str], bool]:
    """Return the number of active experiments by scheme, and whether all of them were counted."""
    counts: Counter[str] = Counter()
    token = ""
    for _ in range(PAGES):
        found, token = _page(max_results=str(PAGE), page_token=token)
        counts.update(scheme_of(str(experiment.get("artifact_location"))) for experiment in found)
        if not token:
            break
    return counts, not token


def scheme_of(location: str) -> str:
    """Return ``mlflow-artifacts``, ``s3`` or another scheme; ``local`` for a path."""
    found = _SCHEME.match(location)
    return found[1] if found and found[1] != "file" else "local"


def _page(**asked: str) -> tuple[list[dict[str, object]], str]:
    query = urlencode({name: value for name, value in asked.items() if value})
    target = f"{conf.static_prefix()}/api/2.0/mlflow/experiments/search?{query}"
    status, body = call("GET", target, seconds=PAGE_SECONDS, limit=MAXIMUM_PAGE_BYTES)
    document = parsed(body)
    found = document.get("experiments", [])
    if status != 200 or not isinstance(found, list):
        raise UpstreamGarbledError()
    return [one for one in found if isinstance(one, dict)], str(document.get("next_page_token") or "")
