"""Request bodies: read in bounded pieces and held to what was announced."""

import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlflow_proxy.bodies import PIECE, RequestBody
from mlflow_proxy.exceptions import BodyRefusedError, BodyTooLargeError, UploadTruncatedError


class Counting(io.BytesIO):
    """Remembers what was asked of it."""

    asked: list[int]

    def read(self, size: int | None = -1) -> bytes:
        self.asked = [*getattr(self, "asked", []), size or 0]
        return super().read(size)


class Failing:
    def read(self, size: int) -> bytes:
        raise ConnectionResetError


def environ(body: bytes = b"", **facts: Any) -> dict[str, Any]:
    return {"wsgi.input": io.BytesIO(body), **facts}


def test_of_announced_length_is_an_integer() -> None:
    assert RequestBody.of(environ(CONTENT_LENGTH="12")).length == 12


@pytest.mark.parametrize("facts", [{}, {"CONTENT_LENGTH": ""}, {"CONTENT_LENGTH": "0"}])
def test_of_no_length_is_absent(facts: dict[str, str]) -> None:
    assert RequestBody.of(environ(**facts)).is_absent


def test_of_chunked_body_has_no_length_and_is_not_absent() -> None:
    facts = {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True}
    body = RequestBody.of(environ(**facts))
    assert body.length is None
    assert not body.is_absent


def test_of_chunked_body_on_a_server_that_cannot_end_it_is_refused() -> None:
    with pytest.raises(BodyRefusedError):
        RequestBody.of(environ(HTTP_TRANSFER_ENCODING="chunked"))


@pytest.mark.parametrize("coding", ["gzip, chunked", "identity, chunked", "gzip"])
def test_of_a_body_in_another_transfer_coding_is_refused(coding: str) -> None:
    with pytest.raises(BodyRefusedError):
        RequestBody.of(environ(HTTP_TRANSFER_ENCODING=coding, **{"wsgi.input_terminated": True}))


@pytest.mark.parametrize("coding", ["Chunked", " chunked "])
def test_of_a_chunked_body_however_it_is_spelled_is_taken(coding: str) -> None:
    assert RequestBody.of(environ(HTTP_TRANSFER_ENCODING=coding, **{"wsgi.input_terminated": True})).length is None


def test_chunked_upload_is_read_whole() -> None:
    assert b"".join(RequestBody(io.BytesIO(b"hello world"), None)) == b"hello world"


@given(st.binary(max_size=300), st.integers(0, 300))
def test_iteration_ends_at_the_announced_length_or_raises(content: bytes, length: int) -> None:
    body = RequestBody(io.BytesIO(content), length)
    if len(content) < length:
        with pytest.raises(UploadTruncatedError):
            list(body)
    else:
        assert b"".join(body) == content[:length]


@pytest.mark.parametrize("length", [None, 3 * PIECE])
def test_iteration_asks_for_bounded_pieces(length: int | None) -> None:
    stream = Counting(bytes(3 * PIECE))
    assert max(len(piece) for piece in RequestBody(stream, length)) == PIECE
    assert max(stream.asked) == PIECE


def test_iteration_never_reads_past_the_announced_length() -> None:
    stream = Counting(b"mine" + b"the next request")
    list(RequestBody(stream, 4))
    assert stream.tell() == 4


@pytest.mark.parametrize("length", [None, 5])
def test_iteration_over_a_caller_who_left_is_truncated(length: int | None) -> None:
    with pytest.raises(UploadTruncatedError):
        list(RequestBody(Failing(), length))


def test_read_whole_within_the_limit_gives_every_byte() -> None:
    assert RequestBody(io.BytesIO(b"12345"), 5).read_whole(5) == b"12345"


def test_read_whole_announced_above_the_limit_reads_nothing() -> None:
    stream = Counting(b"123456")
    with pytest.raises(BodyTooLargeError):
        RequestBody(stream, 6).read_whole(5)
    assert stream.tell() == 0


def test_read_whole_chunked_above_the_limit_stops_early() -> None:
    stream = Counting(bytes(10 * PIECE))
    with pytest.raises(BodyTooLargeError):
        RequestBody(stream, None).read_whole(PIECE)
    assert stream.tell() == 2 * PIECE


def test_read_whole_truncated_raises() -> None:
    with pytest.raises(UploadTruncatedError):
        RequestBody(io.BytesIO(b"123"), 5).read_whole(10)
