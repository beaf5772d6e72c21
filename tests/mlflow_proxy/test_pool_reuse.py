"""No caller ever gets another caller's answer, whatever became of the connection before."""

import itertools
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.mlflow_proxy.portal import Portal, eventually
from tests.mlflow_proxy.stub import Answer, Ending, Seen, Stub, ok
from tests.mlflow_proxy.wire import FILES, call, head, send_raw, status_of

TOO_LARGE = ok(b'{"error_code":"BAD_REQUEST","message":"too large"}', status="413 Too Large")
LOST = "lost"
SIZES = (1, 70_000, 400_000, 3_000_000)


def answer(seen: Seen) -> Answer:
    """Downloads get their own tag; uploads get an early refusal, after which the connection goes or stays."""
    if seen.method == "GET":
        return Answer([ok(seen.target.rpartition("/")[2].encode(), "Content-Type: text/plain")])
    then: Ending = "close" if "close" in seen.target else "keep"
    return Answer([TOO_LARGE], then, is_early=True)


def try_once(served: Portal, number: int) -> str:
    """One early refusal and one tagged download by somebody else; return what went wrong, if anything."""
    then = "close" if number % 2 else "keep"
    size = SIZES[number // 2 % len(SIZES)]
    upload = head(served, f"PUT {FILES}/0/run/artifacts/{then} HTTP/1.1", f"Content-Length: {size}")
    if number % 7 == 0:
        send_raw(served, upload, bytes(size // 2), end="rst")
    elif (status := status_of(send_raw(served, upload, bytes(size)))) not in {0, 413, 502}:
        return f"trial {number}: upload answered {status}"
    tag = f"tag-{number}"
    reply = call(served, "GET", f"{FILES}/0/run/artifacts/{tag}", who="reader")
    if reply.status == 502:
        return f"{LOST} {tag}"
    return "" if (reply.status, reply.body) == (200, tag.encode()) else f"trial {number}: got {reply}"


def failures(served: Portal, upstream: Stub, trials: int) -> list[str]:
    since, asked = len(served.log), set[str]()

    def forget_and_answer(seen: Seen) -> Answer:
        # Thousands of uploads would not fit into memory.
        upstream.seen.clear()
        asked.add(f"{LOST} {seen.target.rpartition('/')[2]}")
        return answer(seen)

    def uploads_that_ended() -> int:
        return sum(event.get("request", "").startswith("PUT ") for event in served.events(since))

    upstream.script = forget_and_answer
    with ThreadPoolExecutor(4) as pool:
        outcomes = list(filter(None, pool.map(try_once, itertools.repeat(served, trials), range(trials))))
    # Nobody has waited for those that were cut, and the next test counts what comes upstream.
    eventually(lambda: uploads_that_ended() == trials, lambda: f"{uploads_that_ended()} of {trials} uploads ended")
    # A connection may close in the very moment of its reuse: an honest 502 where the call never came upstream.
    lost = {outcome for outcome in outcomes if outcome.startswith(LOST)} - asked
    # Every other upload closes one, and that loses one call at most.
    assert len(lost) <= trials // 2
    return [outcome for outcome in outcomes if outcome not in lost]


def test_pool_reuse_after_early_refusals_gives_each_caller_the_own_answer(served: Portal, upstream: Stub) -> None:
    assert failures(served, upstream, 200) == []


@pytest.mark.soak
def test_pool_reuse_10000_trials_give_each_caller_the_own_answer(served: Portal, upstream: Stub) -> None:
    assert failures(served, upstream, 10_000) == []


def test_pool_reuse_clean_connection_serves_the_next_caller(served: Portal, upstream: Stub) -> None:
    for number in range(5):
        call(served, "GET", f"{FILES}/{number}")
    assert [seen.connection for seen in upstream.seen] == [1] * 5


def test_pool_reuse_connection_behind_a_500_is_discarded(served: Portal, upstream: Stub) -> None:
    # MLflow under uvicorn answers so, promises to keep the connection, and closes it a moment later.
    answers = iter([ok(b"Internal Server Error", status="500 Internal Server Error"), ok(b"mine")])
    upstream.script = lambda _: Answer([next(answers)])
    assert call(served, "PUT", f"{FILES}/0/run/artifacts/a", body=b"x").status == 500
    assert call(served, "PUT", f"{FILES}/0/run/artifacts/b", body=b"x").status == 200
    assert [seen.connection for seen in upstream.seen] == [1, 2]


def test_pool_reuse_connection_of_an_aborted_download_is_discarded(served: Portal, upstream: Stub) -> None:
    answers = iter([ok(bytes(100_000))[:-1], ok(b"mine")])
    endings = iter(["hang", "keep"])
    upstream.script = lambda _: Answer([next(answers)], next(endings))  # type: ignore[arg-type]
    send_raw(served, head(served, f"GET {FILES}/a HTTP/1.1"), end="rst")
    upstream.wait(lambda: bool(upstream.seen))
    assert call(served, "GET", f"{FILES}/b").body == b"mine"
    assert [seen.connection for seen in upstream.seen] == [1, 2]
