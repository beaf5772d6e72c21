"""Downloads over real sockets: relayed raw and whole, or broken off so that the caller notices."""

import contextlib
import gzip
import http.client
import itertools
import random
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.mlflow_proxy.portal import Portal, eventually
from tests.mlflow_proxy.stub import Answer, Ending, Seen, Stub, chunked_ok, ok
from tests.mlflow_proxy.wire import FILES, NATIVE, SEARCH, call, head, opened, send_raw, status_of

FILE = f"{FILES}/0/run/artifacts/a.bin"
CONTENT = bytes(range(256)) * 3000
ENDINGS: list[Ending] = ["close", "reset"]


def assert_visibly_broken(served: Portal) -> None:
    """A broken transfer, or, when even the head was lost, the portal's own error: never a short file with 200."""
    try:
        reply = call(served, "GET", FILE)
    except (http.client.IncompleteRead, ConnectionError):
        return
    assert reply.status == 502


def endless() -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    yield from itertools.repeat(b"10000\r\n" + bytes(65536) + b"\r\n")


def test_download_with_length_is_whole(served: Portal, upstream: Stub) -> None:
    upstream.reply(ok(CONTENT, "Content-Type: application/octet-stream"))
    reply = call(served, "GET", FILE)
    assert reply.headers["content-length"] == str(len(CONTENT))
    assert reply.body == CONTENT


def test_download_takes_the_native_path_without_prefix(served: Portal, upstream: Stub) -> None:
    call(served, "GET", FILE)
    assert upstream.seen[0].target == f"{NATIVE}/0/run/artifacts/a.bin"


def test_listing_takes_the_prefixed_path(served: Portal, upstream: Stub) -> None:
    call(served, "GET", f"{FILES}?path=0%2Frun")
    assert upstream.seen[0].target == f"/mlflow{NATIVE}?path=0%2Frun"


def test_download_without_length_is_whole(served: Portal, upstream: Stub) -> None:
    upstream.reply(chunked_ok(CONTENT[:1], CONTENT[1:70_000], CONTENT[70_000:]))
    reply = call(served, "GET", FILE)
    assert reply.headers["transfer-encoding"] == "chunked"
    assert reply.body == CONTENT


def test_empty_download_is_whole(served: Portal, upstream: Stub) -> None:
    upstream.reply(ok(b"", "Content-Type: text/plain"))
    reply = call(served, "GET", FILE)
    assert (reply.status, reply.headers["content-length"], reply.body) == (200, "0", b"")


@pytest.mark.parametrize("then", ["close", "reset"])
def test_download_with_length_cut_mid_body_is_an_error_for_the_caller(
    served: Portal, upstream: Stub, then: str
) -> None:
    upstream.reply(ok(CONTENT)[:-1], then=then)
    assert_visibly_broken(served)


@pytest.mark.parametrize("lost", [b"0\r\n\r\n", b"\r\n0\r\n\r\n", b"x\r\n0\r\n\r\n"])
@pytest.mark.parametrize("then", ["close", "reset"])
def test_chunked_download_cut_mid_body_is_an_error_for_the_caller(
    served: Portal, upstream: Stub, lost: bytes, then: str
) -> None:
    whole = chunked_ok(b"first", b"last x")
    assert whole.endswith(lost)
    upstream.reply(whole.removesuffix(lost), then=then)
    assert_visibly_broken(served)


def framed(content: bytes, kind: str) -> bytes:
    """Return a whole response of MLflow, or of something old before it."""
    if kind == "chunked":
        return chunked_ok(*(content[start : start + 40_000] for start in range(0, len(content), 40_000)))
    if kind == "until close":
        return b"HTTP/1.0 200 OK\r\nContent-Type: application/octet-stream\r\n\r\n" + content
    whole = ok(content, "Content-Type: application/octet-stream")
    return whole.replace(b"HTTP/1.1", b"HTTP/1.0", 1) if kind == "1.0" else whole


def short_files(served: Portal, upstream: Stub, trials: int) -> list[str]:
    """Cut as many downloads at a random byte; return those that pass for whole although they are not."""
    dice = random.Random(trials)
    contents: dict[str, bytes] = {}
    answers: dict[str, tuple[bytes, Ending]] = {}
    kinds = ("length", "chunked", "1.0", "until close")
    for number in range(trials):
        kind, content = dice.choice(kinds), dice.randbytes(int(2 ** dice.uniform(0, 20)))
        name, whole = f"{kind}-{number}".replace(" ", "-"), framed(content, kind)
        contents[name] = content
        answers[name] = (whole[: dice.randrange(len(whole))], dice.choice(ENDINGS))

    def script(seen: Seen) -> Answer:
        upstream.seen.clear()
        # The portal's own probes get a whole answer.
        cut, then = answers.get(seen.target.rpartition("/")[2], (ok(), "keep"))
        return Answer([cut], then)

    def is_short(name: str) -> bool:
        try:
            reply = call(served, "GET", f"{FILES}/0/run/artifacts/{name}")
            # A chunked one may have lost no more than a part of its end.
            return reply.status < 500 and reply.body != contents[name]
        except (http.client.IncompleteRead, ConnectionError):
            return False

    upstream.script = script
    with ThreadPoolExecutor(4) as pool:
        return [name for name, short in zip(answers, pool.map(is_short, answers), strict=True) if short]


def test_download_cut_at_60_random_bytes_is_never_a_short_file(served: Portal, upstream: Stub) -> None:
    assert short_files(served, upstream, 60) == []


@pytest.mark.soak
def test_download_cut_at_1000_random_bytes_is_never_a_short_file(served: Portal, upstream: Stub) -> None:
    assert short_files(served, upstream, 1000) == []


def test_download_that_stalls_mid_body_is_an_error_for_the_caller(served: Portal, upstream: Stub) -> None:
    upstream.reply(ok(CONTENT)[:-1], then="hang")
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        call(served, "GET", FILE)
    upstream.wait_for_end()


def test_download_cut_mid_body_is_logged(served: Portal, upstream: Stub) -> None:
    since = len(served.log)
    upstream.reply(ok(CONTENT)[:-1], then="close")
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        call(served, "GET", FILE)
    served.wait_for_event(since, event="reply_aborted")


def test_aborted_stream_closes_the_upstream_connection(served: Portal, upstream: Stub) -> None:
    upstream.script = lambda _: Answer(endless())
    with opened(served, "GET", FILE) as response:
        response.read(100_000)
    upstream.wait(lambda: upstream.seen[0].is_answer_cut)


def test_aborted_stream_is_logged(served: Portal, upstream: Stub) -> None:
    since = len(served.log)
    upstream.script = lambda _: Answer(endless())
    with opened(served, "GET", FILE) as response:
        response.read(100_000)
    served.wait_for_event(since, event="reply_aborted")


def test_slow_download_is_flat(served: Portal, upstream: Stub) -> None:
    sent = [0]

    def counted() -> Iterator[bytes]:
        for piece in endless():
            yield piece
            sent[0] += len(piece)

    upstream.script = lambda _: Answer(counted())
    with opened(served, "GET", FILE) as response:
        response.read(1000)
        # Nobody reads, so the upstream stalls once the kernel's buffers and the portal's one piece are full.
        stalled_at = eventually(lambda: is_still(sent) and sent[0])
        assert stalled_at < 64 * 1024 * 1024


def is_still(counter: list[int]) -> bool:
    before = counter[0]
    time.sleep(1)
    return counter[0] == before


def test_no_lock_held_while_streaming(served: Portal, upstream: Stub) -> None:
    def is_free() -> bool:
        return other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0

    upstream.script = lambda _: Answer(endless())
    database = contextlib.closing(sqlite3.connect(served.home.folder / "portal.sqlite3"))
    with opened(served, "GET", FILE) as response, database as other:
        response.read(1000)
        eventually(is_free, "a reader or writer of the database is left")
        assert response.read(1000)


def test_encoded_reply_is_relayed_raw(served: Portal, upstream: Stub) -> None:
    packed = gzip.compress(CONTENT)
    upstream.reply(ok(packed, "Content-Encoding: gzip"))
    reply = call(served, "GET", FILE, headers={"Accept-Encoding": "gzip"})
    assert upstream.seen[0].all_of("Accept-Encoding") == ["gzip"]
    assert (reply.headers["content-encoding"], reply.headers["content-length"]) == ("gzip", str(len(packed)))
    assert reply.body == packed


def test_encoded_chunked_reply_is_relayed_raw(served: Portal, upstream: Stub) -> None:
    packed = gzip.compress(CONTENT)
    upstream.reply(chunked_ok(packed, line="Content-Encoding: gzip"))
    assert call(served, "GET", FILE, headers={"Accept-Encoding": "gzip"}).body == packed


def test_encoding_is_identity_for_a_caller_who_asks_for_none(served: Portal, upstream: Stub) -> None:
    call(served, "GET", FILE)
    assert upstream.seen[0].all_of("Accept-Encoding") == ["identity"]


def test_range_is_asked_and_answered_in_part(served: Portal, upstream: Stub) -> None:
    upstream.reply(ok(b"bcd", "Content-Range: bytes 1-3/5", "Accept-Ranges: bytes", status="206 Partial Content"))
    reply = call(served, "GET", FILE, headers={"Range": "bytes=1-3", "If-Range": '"v1"'})
    assert (upstream.seen[0].header("Range"), upstream.seen[0].header("If-Range")) == ("bytes=1-3", '"v1"')
    assert (reply.status, reply.headers["content-range"], reply.body) == (206, "bytes 1-3/5", b"bcd")


def test_unmodified_is_304_without_body(served: Portal, upstream: Stub) -> None:
    upstream.reply(b'HTTP/1.1 304 Not Modified\r\nETag: "v1"\r\n\r\n')
    reply = call(served, "GET", FILE, headers={"If-None-Match": '"v1"'})
    assert upstream.seen[0].header("If-None-Match") == '"v1"'
    assert (reply.status, reply.headers["etag"], reply.body) == (304, '"v1"', b"")


def test_no_content_is_204_without_body(served: Portal, upstream: Stub) -> None:
    upstream.reply(b"HTTP/1.1 204 No Content\r\n\r\n")
    reply = call(served, "DELETE", FILE)
    assert (reply.status, reply.body) == (204, b"")


def test_head_of_a_file_tells_its_length_alone(served: Portal, upstream: Stub) -> None:
    upstream.reply(ok(b"", "X: y").replace(b"Content-Length: 0", b"Content-Length: 5000"))
    raw = send_raw(served, head(served, f"HEAD {FILE} HTTP/1.1"))
    assert status_of(raw) == 200
    assert b"\r\ncontent-length: 5000\r\n" in raw.lower()
    assert raw.endswith(b"\r\n\r\n")


def test_head_of_a_file_takes_the_prefixed_path(served: Portal, upstream: Stub) -> None:
    upstream.reply(ok(b"").replace(b"Content-Length: 0", b"Content-Length: 5000"))
    call(served, "HEAD", FILE)
    assert (upstream.seen[0].method, upstream.seen[0].target) == ("HEAD", f"/mlflow{NATIVE}/0/run/artifacts/a.bin")


@pytest.mark.parametrize("who", ["operator", None])
def test_head_that_is_refused_has_no_body(served: Portal, upstream: Stub, who: str | None) -> None:
    raw = send_raw(served, head(served, f"HEAD {SEARCH} HTTP/1.1", who=who))
    assert status_of(raw) in {401, 404}
    assert raw.endswith(b"\r\n\r\n")


def test_head_of_a_missing_file_has_no_body(served: Portal, upstream: Stub) -> None:
    upstream.reply(b"HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n")
    raw = send_raw(served, head(served, f"HEAD {FILE} HTTP/1.1"))
    assert status_of(raw) == 404
    assert raw.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("kind", ["text/html", "image/svg+xml", "application/xhtml+xml"])
def test_html_artifact_is_inert(served: Portal, upstream: Stub, kind: str) -> None:
    disposition = "Content-Disposition: attachment; filename*=UTF-8''x%C3%BC.html"
    upstream.reply(ok(b"<script>alert(1)</script>", f"Content-Type: {kind}", disposition))
    reply = call(served, "GET", FILE)
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["content-disposition"].startswith("attachment")
    assert "default-src 'none'" in reply.headers["content-security-policy"]


def test_two_dates_of_flask_are_tolerated(served: Portal, upstream: Stub) -> None:
    date = "Date: Sun, 22 Nov 2026 00:00:00 GMT"
    upstream.reply(ok(b"{}", date, date))
    assert call(served, "GET", FILE).status == 200
