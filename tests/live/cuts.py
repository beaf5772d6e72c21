"""Downloads that break off at a byte: what readers of several kinds make of them. Judges, and forgives nothing.

A reader takes what comes for the whole file only if it is; and gets the rest by a range.
"""

import contextlib
import hashlib
import http.client
import json
import random
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import requests

from tests.live.client import run_client
from tests.live.faulty import Rule
from tests.live.grounds import MIB, Content, Ground

COLUMNS = ("error", "502", "503", "whole", "resumed", "short")
GROUNDS = ("bucket", "forwarding", "forwarding to s3")
# The heads of all of these servers are longer, so that every cut is met.
SHORTEST_HEAD = 100
HELD_BACK = 2 * MIB


@dataclass(frozen=True)
class Cut:
    """A download to be cut ``at`` a byte of the store's or MLflow's answer, ``times`` in a row."""

    number: int
    ground: str
    reader: str
    size: int
    at: int
    manner: Literal["reset", "close"]
    times: int
    silence: float
    seed: int

    @property
    def mark(self) -> str:
        return f"trial-{self.number:06d}"

    @property
    def content(self) -> Content:
        return Content(self.seed, self.size)

    @property
    def rule(self) -> Rule:
        return Rule("down", self.at, self.manner, times=self.times, silence=self.silence, methods=("GET",))


@dataclass
class Read:
    """What a reader has in the end: ``error`` is empty where it believes to have the whole."""

    body: bytes = b""
    error: str = ""


@dataclass
class Outcome:
    cut: Cut
    told: str = ""
    is_resumed: bool = False
    complaint: str = ""

    def as_line(self) -> dict[str, Any]:
        words = [self.told, *["resumed"] * self.is_resumed]
        row = f"{self.cut.ground}, {self.cut.reader}"
        return asdict(self) | {"number": self.cut.number, "row": row, "words": words}


def with_http_client(url: str, headers: Mapping[str, str]) -> Read:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=120)
    with contextlib.closing(connection):
        try:
            connection.request("GET", parts.path, headers=dict(headers))
            reply = connection.getresponse()
            body = reply.read()
        except http.client.IncompleteRead as error:
            return Read(error.partial, "IncompleteRead")
        except (http.client.HTTPException, OSError) as error:
            return Read(b"", type(error).__name__)
    return Read(body) if reply.status in {200, 206} else Read(b"", str(reply.status))


def with_requests(url: str, headers: Mapping[str, str]) -> Read:
    """Read as MLflow's client does: streamed, in pieces."""
    pieces = []
    try:
        with requests.get(url, headers=dict(headers), stream=True, timeout=120) as reply:
            reply.raise_for_status()
            for piece in reply.iter_content(MIB):
                pieces.append(piece)  # noqa: PERF402  (what came before an error counts)
    except requests.HTTPError as error:
        return Read(b"", str(error.response.status_code))
    except requests.RequestException as error:
        return Read(b"".join(pieces), type(error).__name__)
    return Read(b"".join(pieces))


def with_curl(url: str, headers: Mapping[str, str]) -> Read:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "file")
        fields = [word for name, value in headers.items() for word in ("-H", f"{name}: {value}")]
        done = subprocess.run(
            ["curl", "-sS", "-f", "--noproxy", "*", "-w", "%{http_code}", *fields, "-o", file, url],
            capture_output=True,
            text=True,
            check=False,
        )
        status = done.stdout.strip()
        error = "" if done.returncode == 0 else status if int(status) >= 400 else f"curl {done.returncode}"
        return Read(file.read_bytes() if file.exists() else b"", error)


READERS: dict[str, Callable[[str, Mapping[str, str]], Read]] = {
    "http.client": with_http_client,
    "requests": with_requests,
    "curl": with_curl,
}
FETCH = """
    import hashlib
    for number, uri in enumerate(json.loads(os.environ["URIS"])):
        target = here / str(number)
        target.mkdir()
        try:
            path = mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=str(target))
            result[uri] = {"digest": hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()}
        except Exception as error:
            result[uri] = {"error": told(error)}
"""


def plan(seed: int, count: int, *, of_mlflow: float = 0.12) -> list[Cut]:
    """Return the same cuts for the same seed, at any byte, more of them near the ends of the body."""
    dice, cuts = random.Random(seed), []
    for number in range(count):
        reader = "MLflow" if dice.random() < of_mlflow else dice.choice(list(READERS))
        # Half of them larger than what the portal holds back: those break off on the way.
        size = dice.choice((int(2 ** dice.uniform(0, 20)) + 1, dice.randint(MIB, 6 * MIB)))
        near_end = size - dice.randint(-SHORTEST_HEAD, min(size, 64))
        at = dice.choice((dice.randint(0, 400), near_end, near_end, *[dice.randrange(size + SHORTEST_HEAD)] * 4))
        times = dice.choice((1, 1, 1, 9))
        if reader == "MLflow":
            # A cut in what the portal holds back is a 503, upon which this client waits for ten seconds.
            at, size = at + HELD_BACK, size + HELD_BACK
        manner: Literal["reset", "close"] = dice.choice(("reset", "close"))
        silence = dice.choice((0, 0, 0, 0.3))
        place = dice.choice(GROUNDS)
        cuts.append(Cut(number, place, reader, size, min(at, size), manner, times, silence, dice.getrandbits(48)))
    return cuts


@dataclass
class Cutter:
    """Cuts downloads on some grounds; what is downloaded lies below ``folder``."""

    grounds: Mapping[str, Ground]
    folder: str
    clients: int = 6

    def run(self, cuts: Iterable[Cut]) -> list[Outcome]:
        """Cut all, side by side; those of MLflow's client in one process for each ground."""
        cuts = list(cuts)
        quick = [cut for cut in cuts if cut.reader in READERS]
        slow = {name: [cut for cut in cuts if cut.reader == "MLflow" and cut.ground == name] for name in self.grounds}
        for cut in cuts:
            self.grounds[cut.ground].place.put(self._path(cut), cut.content)
        with ThreadPoolExecutor(self.clients) as pool:
            several = [pool.submit(self._with_mlflow, name, some) for name, some in slow.items() if some]
            outcomes = [*pool.map(self._one, quick), *(found for done in several for found in done.result())]
        for cut in cuts:
            self.grounds[cut.ground].place.drop(self._path(cut))
        return outcomes

    def _path(self, cut: Cut) -> str:
        return f"{self.folder}/{cut.mark}.bin"

    def _one(self, cut: Cut) -> Outcome:
        ground, rule = self.grounds[cut.ground], cut.rule
        url, headers = f"{ground.portal.artifacts}/{self._path(cut)}", ground.portal.headers()
        with _laid(ground, cut, rule):
            found = READERS[cut.reader](url, headers)
        outcome = _judged(cut, rule, found)
        if found.error and not outcome.complaint:
            begun = found.body if cut.reader != "curl" or not found.error.isdecimal() else b""
            self._resume(outcome, begun, url, headers)
        return outcome

    def _resume(self, outcome: Outcome, begun: bytes, url: str, headers: Mapping[str, str]) -> None:
        """Ask for what is missing; who ignores the range sends the whole."""
        wished = {"Range": f"bytes={len(begun)}-"} if 0 < len(begun) < outcome.cut.size else {}
        rest = with_http_client(url, {**headers, **wished})
        bodies = (rest.body, begun + rest.body, begun)
        outcome.is_resumed = any(_digest(body) == outcome.cut.content.digest() for body in bodies)
        if rest.error or not outcome.is_resumed:
            outcome.complaint = f"the rest does not make a whole of it: {rest.error or 'other bytes'}"

    def _with_mlflow(self, name: str, cuts: list[Cut]) -> list[Outcome]:
        ground, rules = self.grounds[name], {cut: cut.rule for cut in cuts}
        uris = {cut: f"mlflow-artifacts:/{self._path(cut)}" for cut in cuts}
        with contextlib.ExitStack() as laid:
            for cut, rule in rules.items():
                laid.enter_context(_laid(ground, cut, rule))
            facts = {"URIS": json.dumps(list(uris.values())), "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}
            told = run_client(FETCH, ground.portal, ground.portal.key(), **facts)
        return [_judged_by_digest(cut, rules[cut], **told[uri]) for cut, uri in uris.items()]


@contextlib.contextmanager
def _laid(ground: Ground, cut: Cut, rule: Rule) -> Any:
    assert ground.proxy is not None
    ground.proxy.lay(cut.mark, rule)
    yield
    ground.proxy.lift(cut.mark)


def _judged(cut: Cut, rule: Rule, found: Read) -> Outcome:
    is_beginning = _digest(found.body) == _digest(b"".join(cut.content.blocks())[: len(found.body)])
    outcome = _judged_by_digest(cut, rule, digest=_digest(found.body), error=found.error)
    if found.error and not found.error.isdecimal() and not is_beginning:
        outcome.complaint = "other bytes than those of the file"
    return outcome


def _judged_by_digest(cut: Cut, rule: Rule, *, digest: str = "", error: str = "") -> Outcome:
    outcome = Outcome(cut, (error if error.isdecimal() else "error") if error else "whole")
    if not rule.fired:
        outcome.complaint = "nothing was cut"
    elif not error and digest != cut.content.digest():
        outcome.told, outcome.complaint = "short", "a short file passed for a whole one"
    elif error.isdecimal() and int(error) < 500:
        outcome.complaint = f"refused with {error}"
    return outcome


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
