"""Compressed bodies: measured before MLflow inflates them, and whole."""

import gzip
import random
import tracemalloc
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlflow_proxy.exceptions import BodyRefusedError, BodyTooLargeError, CodingRefusedError, ProxyError
from mlflow_proxy.inflation import PIECE, RATIO_FREE_BYTES, inflate

LIMIT = 8 * 1024 * 1024
PACK = {"gzip": gzip.compress, "x-gzip": gzip.compress, "deflate": zlib.compress}
CODINGS = pytest.mark.parametrize("coding", PACK)


def noise(size: int) -> bytes:
    """Return bytes that do not shrink."""
    return random.Random(0).randbytes(size)


@CODINGS
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_any_body_within_the_limit_passes(coding: str, data: st.DataObject) -> None:
    near_a_piece = st.builds(lambda pieces, more: pieces * PIECE + more, st.integers(0, 3), st.integers(0, 300))
    size = data.draw(near_a_piece)
    inflate(PACK[coding](data.draw(st.sampled_from([b"\0", b"ab", b"span "])) * size), coding, LIMIT)


@CODINGS
def test_compression_bomb_is_413(coding: str) -> None:
    with pytest.raises(BodyTooLargeError) as caught:
        inflate(PACK[coding](b"\0" * (LIMIT + 1)), coding, LIMIT)
    assert (caught.value.status, caught.value.retry_after) == (413, None)


@CODINGS
def test_compression_body_of_just_the_limit_passes(coding: str) -> None:
    inflate(PACK[coding](noise(LIMIT // 8)), coding, LIMIT // 8)


@CODINGS
def test_compression_ratio_above_the_rule_is_413(coding: str) -> None:
    with pytest.raises(BodyTooLargeError, match="20 times"):
        inflate(PACK[coding](b"\0" * (RATIO_FREE_BYTES + 1)), coding, LIMIT)


@CODINGS
def test_compression_small_body_may_shrink_as_it_likes(coding: str) -> None:
    inflate(PACK[coding](b"\0" * RATIO_FREE_BYTES), coding, LIMIT)


def test_compression_ratio_within_the_rule_passes() -> None:
    body = noise(RATIO_FREE_BYTES // 10) + b"\0" * RATIO_FREE_BYTES
    inflate(zlib.compress(body), "deflate", LIMIT)


def test_compression_bomb_takes_memory_by_the_limit_not_by_its_size() -> None:
    bomb = gzip.compress(b"\0" * 100_000_000)
    tracemalloc.start()
    with pytest.raises(BodyTooLargeError):
        inflate(bomb, "gzip", 1_000_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8_000_000


@CODINGS
@pytest.mark.parametrize("cut", [1, 4, 8, 12])
def test_compressed_body_that_is_cut_off_is_refused(coding: str, cut: int) -> None:
    with pytest.raises(BodyRefusedError):
        inflate(PACK[coding](b"some spans" * 100)[:-cut], coding, LIMIT)


@CODINGS
@pytest.mark.parametrize("more", [b"x", b"\0", gzip.compress(b""), gzip.compress(b"\0" * 100)])
def test_compressed_body_with_a_second_member_or_more_is_refused(coding: str, more: bytes) -> None:
    with pytest.raises(BodyRefusedError):
        inflate(PACK[coding](b"spans") + more, coding, LIMIT)


@CODINGS
@pytest.mark.parametrize("raw", [b"", b"plain text", b"\x1f\x8b", zlib.compress(b"raw", wbits=-15)])
def test_body_that_is_not_of_its_coding_is_refused(coding: str, raw: bytes) -> None:
    with pytest.raises(BodyRefusedError):
        inflate(raw, coding, LIMIT)


def test_broken_checksum_is_refused() -> None:
    body = bytearray(gzip.compress(b"spans"))
    body[-5] ^= 1
    with pytest.raises(BodyRefusedError):
        inflate(bytes(body), "gzip", LIMIT)


@pytest.mark.parametrize("coding", ["br", "zstd", "compress", "gzip, gzip", "gzip,deflate", "x", "gzip;q=1", "*"])
def test_compression_unknown_coding_is_415(coding: str) -> None:
    with pytest.raises(CodingRefusedError) as caught:
        inflate(b"", coding, LIMIT)
    assert caught.value.status == 415


@pytest.mark.parametrize("coding", ["", "identity", " Identity "])
def test_plain_body_is_not_looked_at(coding: str) -> None:
    inflate(b"\x1f\x8b not gzip", coding, 1)


@pytest.mark.parametrize("coding", ["GZIP", " gzip ", "Deflate"])
def test_coding_is_read_whatever_its_case(coding: str) -> None:
    with pytest.raises(BodyRefusedError):
        inflate(b"plain", coding, LIMIT)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60), st.sampled_from(sorted(PACK)))
def test_any_bytes_pass_or_are_refused_by_name(raw: bytes, coding: str) -> None:
    try:
        inflate(raw, coding, LIMIT)
    except ProxyError as error:
        assert error.status in {400, 413}  # noqa: PT017  (either is an answer)
