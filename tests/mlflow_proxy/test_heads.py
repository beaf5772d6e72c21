"""Heads of answers: read field by field, whole or not at all, and never without end."""

import http.client
import socket

import pytest

from mlflow_proxy.heads import MAXIMUM_FIELDS, MAXIMUM_INTERIM_REPLIES, MAXIMUM_LINE_BYTES, BoundedHead

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
EMPTY = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


def read(raw: bytes, method: str = "GET") -> BoundedHead:
    """Return the head that these bytes, and then the end of the connection, are read as."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(raw)
        theirs.close()
        response = BoundedHead(ours, method=method)
        try:
            response.begin()
        except BaseException:
            response.close()
            raise
        response.close()
    return response


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        (b'ETag: "a b"\r\n', "ETag", '"a b"'),
        (b"ETag:none\r\n", "etag", "none"),
        (b"ETag: \t padded \t\r\n", "ETag", "padded"),
        (b"ETag: a line feed alone\n", "ETag", "a line feed alone"),
        (b"ETag:\r\n", "ETag", ""),
        (b"X-Name: f\xfcr\r\n", "X-Name", "f\xfcr"),
        (b"X-Time: 10:20:30\r\n", "X-Time", "10:20:30"),
    ],
)
def test_field_is_read_as_it_stands(line: bytes, name: str, value: str) -> None:
    assert read(b"HTTP/1.1 200 OK\r\n" + line + b"\r\n").headers[name] == value


def test_field_that_repeats_is_kept_each_time() -> None:
    head = read(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n")
    assert head.headers.get_all("Content-Length") == ["1", "2"]


@pytest.mark.parametrize(
    "lines",
    [
        b"no colon\r\n",
        b"Sp ace: x\r\n",
        b"Space : x\r\n",
        b": no name\r\n",
        b"ETag: a\r\n folded\r\n",
        b" folded: first\r\n",
        b"ETag: a\x00b\r\n",
        b"ETag: a\rb\r\n",
        b"ETag: a\x7fb\r\n",
        b"X: " + bytes([97]) * MAXIMUM_LINE_BYTES + b"\r\n",
        b"X: y\r\n" * (MAXIMUM_FIELDS + 1),
    ],
)
def test_head_with_a_line_that_is_no_field_is_no_head(lines: bytes) -> None:
    with pytest.raises(http.client.HTTPException):
        read(b"HTTP/1.1 200 OK\r\n" + lines + b"\r\n")


@pytest.mark.parametrize("length", range(len(EMPTY)))
def test_head_that_is_cut_anywhere_is_no_head(length: int) -> None:
    with pytest.raises(http.client.HTTPException):
        read(EMPTY[:length])


def test_head_after_interim_ones_is_the_final_one() -> None:
    assert read(CONTINUE * (MAXIMUM_INTERIM_REPLIES - 1) + EMPTY).status == 200


def test_head_after_too_many_interim_ones_is_no_head() -> None:
    with pytest.raises(http.client.HTTPException):
        read(CONTINUE * MAXIMUM_INTERIM_REPLIES + EMPTY)


@pytest.mark.parametrize("version", [b"HTTP/2", b"HTTP/0.9", b"ICY", b"HTTPS/1.1"])
def test_head_of_another_protocol_is_no_head(version: bytes) -> None:
    with pytest.raises(http.client.HTTPException):
        read(EMPTY.replace(b"HTTP/1.1", version))


@pytest.mark.parametrize(
    ("method", "raw", "length", "will_close"),
    [
        ("GET", b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", 7, False),
        ("GET", b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: close\r\n\r\n", 7, True),
        ("GET", b"HTTP/1.0 200 OK\r\nContent-Length: 7\r\n\r\n", 7, True),
        ("GET", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n", None, False),
        ("GET", b"HTTP/1.1 200 OK\r\n\r\n", None, True),
        ("GET", b"HTTP/1.1 200 OK\r\nContent-Length: +7\r\n\r\n", None, True),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n", 0, False),
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", 0, False),
    ],
)
def test_head_says_where_the_body_ends(method: str, raw: bytes, length: int | None, will_close: bool) -> None:
    head = read(raw, method)
    assert (head.length, head.will_close) == (length, will_close)
