"""The judge of the trials can fail: servers that do wrong on purpose are called what they are."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

import pytest

from tests.live import cuts, soak
from tests.live.faulty import FaultyProxy, Rule
from tests.live.grounds import Content, FolderPlace, Ground
from tests.live.processes import eventually
from tests.live.trials import Trial

PREFIX = "/artifacts/"


@dataclass
class Wrong:
    """A server that takes uploads into a folder and does one thing wrong; as much of a portal as the engine asks."""

    root: Path
    upload: Callable[["Request", Path], None]
    workers: list[int] = field(default_factory=list)
    log: Path = Path("/dev/null")
    url: str = ""

    @property
    def artifacts(self) -> str:
        return f"{self.url}{PREFIX}"[:-1]

    def key(self) -> str:
        return ""

    def headers(self) -> dict[str, str]:
        return {}


class Request(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "Server"

    def do_PUT(self) -> None:
        file = self.server.wrong.root / self.path.removeprefix(PREFIX)
        file.parent.mkdir(parents=True, exist_ok=True)
        self.close_connection = True
        with suppress(OSError):
            self.server.wrong.upload(self, file)

    def do_GET(self) -> None:
        content = (self.server.wrong.root / self.path.removeprefix(PREFIX)).read_bytes()
        self.answer(200, content)

    def answer(self, status: int, content: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def body(self) -> Iterator[bytes]:
        left = int(self.headers["Content-Length"])
        while left and (piece := self.rfile.read1(min(left, 65536))):
            left -= len(piece)
            yield piece

    def log_message(self, *args: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, wrong: Wrong) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        self.wrong = wrong

    def handle_error(self, *args: object) -> None:
        """Whoever leaves in the middle is part of the trial."""


@contextmanager
def serving(wrong: Wrong) -> Iterator[Ground]:
    with Server(wrong) as server:
        wrong.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield Ground("folder", cast("Any", wrong), FolderPlace(str(wrong.root)), cast("Any", None), is_direct=True)
        server.shutdown()
        thread.join()


def store_as_it_comes(request: Request, file: Path) -> None:
    with file.open("wb") as target:
        for piece in request.body():
            target.write(piece)
            target.flush()
    request.answer(200)


def store_nothing(request: Request, file: Path) -> None:
    for _ in request.body():
        pass
    request.answer(200)


def remove_first(request: Request, file: Path) -> None:
    file.unlink(missing_ok=True)
    for _ in request.body():
        pass
    request.answer(503)


def refuse(request: Request, file: Path) -> None:
    for _ in request.body():
        pass
    request.answer(503)


def leave_drafts(request: Request, file: Path) -> None:
    draft = request.server.wrong.root / ".hokusai-uploads" / file.name
    draft.parent.mkdir(exist_ok=True)
    draft.write_bytes(b"".join(request.body()))
    file.write_bytes(draft.read_bytes())
    request.answer(200)


class Engine(soak.Engine):
    def _sweep(self, ground: Ground) -> None:
        """These servers have no command to sweep with."""


def store_what_another_sent(request: Request, file: Path) -> None:
    file.write_bytes(b"?" * len(b"".join(request.body())))
    request.answer(200)


def complaints(ground: Ground, fault: str) -> set[str]:
    engine = Engine({"folder": ground})
    trials = [Trial(number, "folder", fault, 300_000, number % 2 == 0, False, number * 7) for number in range(4)]
    return {outcome.complaint for outcome in engine.run(trials)}


@pytest.mark.parametrize(
    ("upload", "fault", "complaint"),
    [
        (store_as_it_comes, "client leaves", "a part of the bytes, or others, are visible"),
        (store_as_it_comes, "client sends less", "an upload that must not arrive is there"),
        (store_what_another_sent, "nothing", "a part of the bytes, or others, are visible"),
        (store_what_another_sent, "nothing, fetched again", "a part of the bytes, or others, are visible"),
        (store_nothing, "nothing", "200 for an upload that is not there"),
        (remove_first, "nothing", "what was there before is gone"),
        (refuse, "nothing", "refused although nothing was wrong"),
    ],
)
def test_judge_names_what_a_wrong_server_does(
    tmp_path: Path, upload: Callable[[Request, Path], None], fault: str, complaint: str
) -> None:
    with serving(Wrong(tmp_path, upload)) as ground:
        # Of a caller who leaves nothing is to be seen where the server has not begun to store.
        assert eventually(lambda: complaint in complaints(ground, fault))


def test_judge_names_uploads_left_unfinished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soak, "SETTLING", 0)
    with serving(Wrong(tmp_path, leave_drafts)) as ground:
        assert complaints(ground, "nothing") == {"", "4 unfinished uploads are left behind by this batch"}


def test_judge_excuses_uploads_of_killed_workers_alone(tmp_path: Path) -> None:
    with serving(Wrong(tmp_path, leave_drafts)) as ground:
        engine, now = soak.Engine({"folder": ground}), time.monotonic()
        trial = Trial(0, "folder", "nothing", 10, False, False, 1)
        hit, missed = (soak.Outcome(trial, now + begin, now + begin + 1) for begin in (0, 100))
        (tmp_path / ".hokusai-uploads").mkdir()
        for name in "ab":
            (tmp_path / ".hokusai-uploads" / name).touch()
        ground.kills.append(now + 0.5)
        assert engine.orphans([hit, missed]) == {"folder": 1}


def test_judge_excuses_uploads_that_the_portal_was_never_told_of(tmp_path: Path) -> None:
    with serving(Wrong(tmp_path, leave_drafts)) as ground:
        engine, trial = soak.Engine({"folder": ground}), Trial(0, "folder", "nothing", 10, False, False, 1)
        (tmp_path / ".hokusai-uploads").mkdir()
        for name in "abc":
            (tmp_path / ".hokusai-uploads" / name).touch()
        assert engine.orphans([soak.Outcome(trial, 0, lost_begins=2)]) == {"folder": 1}


def test_judge_calls_one_changed_byte_a_part(tmp_path: Path) -> None:
    with serving(Wrong(tmp_path, refuse)) as ground:
        engine, trial = soak.Engine({"folder": ground}), Trial(0, "folder", "nothing", 3000, True, False, 1)
        ground.place.put(engine.path_of(trial), trial.new)
        file = tmp_path / engine.path_of(trial)
        file.write_bytes(file.read_bytes()[:-1] + b"?")
        outcome = soak.Outcome(trial, 0)
        engine.look(outcome)
        assert (outcome.found, bool(outcome.complaint)) == ("partial", True)


# --- downloads


@pytest.fixture
def cut() -> cuts.Cut:
    return cuts.Cut(0, "folder", "http.client", 100_000, 50_000, "close", 1, 0, 5)


def fired(cut: cuts.Cut) -> Rule:
    rule = cut.rule
    rule.fired = 1
    return rule


def test_judge_calls_a_short_file_short(cut: cuts.Cut) -> None:
    beginning = b"".join(cut.content.blocks())[:-1]
    assert cuts._judged(cut, fired(cut), cuts.Read(beginning)).told == "short"


def test_judge_names_other_bytes_before_an_error(cut: cuts.Cut) -> None:
    assert cuts._judged(cut, fired(cut), cuts.Read(b"others", "IncompleteRead")).complaint


def test_judge_names_a_cut_that_met_nothing(cut: cuts.Cut) -> None:
    whole = b"".join(cut.content.blocks())
    assert cuts._judged(cut, cut.rule, cuts.Read(whole)).complaint == "nothing was cut"


@pytest.mark.parametrize("reader", cuts.READERS)
@pytest.mark.parametrize("manner", ["close", "reset"])
def test_cut_breaks_a_download_off_at_its_byte(tmp_path: Path, reader: str, manner: Any) -> None:
    with serving(Wrong(tmp_path, refuse)) as ground:
        content = Content(3, 400_000)
        ground.place.put("trial-000001.bin", content)
        proxy = FaultyProxy(ground.portal.url)
        proxy.start()
        proxy.lay("trial-000001", Rule("down", 200_000, manner, methods=("GET",)))
        found = cuts.READERS[reader](f"{proxy.url}{PREFIX}trial-000001.bin", {})
        proxy.end()
    assert found.error
    assert len(found.body) < 200_000
    assert b"".join(content.blocks()).startswith(found.body)
