"""Breakers at work: what an open one keeps from MLflow and from the store, and how one caller's question closes it."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from structlog.testing import capture_logs

from mlflow_proxy import breaker, metrics, upstream
from mlflow_proxy.exceptions import (
    ProxyError,
    UpstreamGarbledError,
    UpstreamPausedError,
    UpstreamRefusedError,
    UpstreamTimedOutError,
)
from tests.mlflow_proxy.samples import counted, here
from tests.mlflow_proxy.stub import Answer, Stub, ok

HEADERS = {"Host": "mlflow"}
NEVER = 10_000.0


@pytest.fixture(autouse=True)
def _patient_questions(monkeypatch: pytest.MonkeyPatch) -> None:
    """A question that is answered is so however long this process, which answers, stands still."""
    monkeypatch.setattr(upstream, "QUESTION_SECONDS", 30.0)


def send(target: str = "/a", **how: Any) -> bytes:
    return upstream.read(upstream.send("GET", target, HEADERS, **how), 1000)


def fail(times: int, **how: Any) -> list[type[ProxyError]]:
    """Call so often, and return what each call met."""
    met = []
    for _ in range(times):
        with pytest.raises(ProxyError) as caught:
            send(**how)
        met.append(caught.type)
    return met


@pytest.fixture
def _no_question(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breaker, "PAUSE_SECONDS", NEVER)


@pytest.fixture
def _question_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breaker, "PAUSE_SECONDS", 0.0)


@pytest.fixture
def opened(stub: Stub) -> Iterator[Stub]:
    """An MLflow that was away for five calls and is back, with nothing seen."""
    with stub.not_listening():
        fail(5)
    stub.reset()
    yield stub
    stub.reset()


@pytest.mark.usefixtures("_no_question")
def test_sixth_call_of_an_mlflow_that_is_away_is_refused_unsent(opened: Stub) -> None:
    assert fail(100) == [UpstreamPausedError] * 100
    assert opened.connections == 0


@pytest.mark.usefixtures("_no_question")
def test_breaker_of_metadata_lets_transfers_pass(opened: Stub) -> None:
    assert send(traffic="transfer") == b"{}"
    assert fail(1) == [UpstreamPausedError]


@pytest.mark.usefixtures("_no_question")
def test_silence_opens_the_breaker(stub: Stub, monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    settings.HOKUSAI_METADATA_TIMEOUT = 0.1
    monkeypatch.setattr(upstream, "QUESTION_SECONDS", 0.2)
    stub.reply(then="hang")
    assert fail(7) == [UpstreamTimedOutError] * 5 + [UpstreamPausedError] * 2


@pytest.mark.usefixtures("_question_at_once")
def test_slow_searches_of_one_caller_refuse_no_other(stub: Stub, settings: Any) -> None:
    settings.HOKUSAI_METADATA_TIMEOUT = 0.1
    stub.script = lambda seen: Answer([], "hang") if seen.target == "/slow" else Answer([ok()])
    with counted("hokusai_breaker_openings_total", 0, upstream="mlflow", traffic="metadata"):
        assert fail(12, target="/slow") == [UpstreamTimedOutError] * 12
        settings.HOKUSAI_METADATA_TIMEOUT = 20
        assert send() == b"{}"


@pytest.mark.parametrize("answer", [Answer([b"no HTTP\r\n"], "close"), Answer([ok(status="500 Broken")], "close")])
def test_answer_of_any_kind_opens_no_breaker(stub: Stub, answer: Answer) -> None:
    stub.script = lambda _: answer
    for _ in range(30):
        try:
            send()
        except UpstreamGarbledError:
            continue
    assert stub.connections == 30


@pytest.mark.usefixtures("_question_at_once")
def test_question_is_asked_by_one_of_many_callers(opened: Stub) -> None:
    answering = threading.Event()

    def answer(_: object) -> Answer:
        assert answering.wait(20)
        return Answer([ok()])

    opened.script = answer
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(send, "/first")
        opened.wait(lambda: len(opened.seen) == 1)
        assert fail(20) == [UpstreamPausedError] * 20
        assert [seen.target for seen in opened.seen] == [f"/mlflow{upstream.API_GET}"]
        answering.set()
        assert first.result() == b"{}"
    assert [seen.target for seen in opened.seen][1:] == ["/first"]


@pytest.mark.usefixtures("_question_at_once")
def test_question_that_fails_refuses_its_caller_and_is_asked_anew(stub: Stub) -> None:
    with stub.not_listening():
        fail(5)
        assert fail(3) == [UpstreamPausedError] * 3
    assert [send(), send()] == [b"{}", b"{}"]


@pytest.mark.usefixtures("_question_at_once")
def test_question_of_transfers_asks_for_an_artifact(stub: Stub) -> None:
    with stub.not_listening():
        fail(5, traffic="transfer")
    send(traffic="transfer")
    assert [seen.target for seen in stub.seen] == [upstream.NATIVE_ARTIFACT, "/a"]


@pytest.mark.usefixtures("_no_question")
def test_question_of_health_passes_an_open_breaker(opened: Stub) -> None:
    assert upstream.ask("GET", "/a", seconds=5, limit=10) == (200, b"{}")


@pytest.mark.usefixtures("_no_question")
def test_breakers_that_are_switched_off_refuse_nothing(stub: Stub, settings: Any) -> None:
    settings.HOKUSAI_BREAKERS = False
    with stub.not_listening():
        assert fail(9) == [UpstreamRefusedError] * 9


@pytest.mark.usefixtures("_question_at_once")
def test_opening_and_closing_are_counted_and_logged(stub: Stub) -> None:
    labels = {"upstream": "mlflow", "traffic": "metadata"}
    with counted("hokusai_breaker_openings_total", **labels), capture_logs() as lines:
        with stub.not_listening():
            fail(5)
            assert metrics.open_breakers()["mlflow", "metadata"] == 1
        send()
    assert here("hokusai_breakers_open", **labels) == 0
    assert [line["event"] for line in lines if "breaker" in line["event"]] == ["breaker_opened", "breaker_closed"]


def test_crowd_that_hangs_is_noticed_before_its_deadline(
    stub: Stub, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.HOKUSAI_WEB_THREADS = 6
    monkeypatch.setattr(breaker, "LONG_WAIT_SECONDS", 0.0)
    monkeypatch.setattr(upstream, "QUESTION_SECONDS", 0.2)
    stub.reply(then="hang")
    with ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(send) for _ in range(3)]
        stub.wait(lambda: len(stub.seen) == 3)
        assert fail(2) == [UpstreamPausedError] * 2
        stub.reset()
        assert all(isinstance(call.exception(), UpstreamGarbledError) for call in waiting)
