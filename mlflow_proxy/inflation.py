"""A compressed body in plain bytes, up to a limit; pure.

MLflow inflates OTLP bodies without a limit: 408 KB of gzip became 590 MB of its memory.
"""

import zlib

from mlflow_proxy.exceptions import BodyRefusedError, BodyTooLargeError, CodingRefusedError

PIECE = 64 * 1024
# Small bodies may shrink as well as they like; above this, telemetry does not reach the ratio and bombs do.
RATIO_FREE_BYTES = 1024 * 1024
MAXIMUM_RATIO = 20
# zlib's wbits: 31 reads a gzip header, 15 a zlib one (RFC 9110 §8.4.1 calls that "deflate").
WINDOW_BITS = {"gzip": 31, "x-gzip": 31, "deflate": 15}


def inflate(raw: bytes, coding: str, limit: int) -> bytes:
    """Return the plain body; raise BodyTooLargeError when it is beyond ``limit`` bytes or MAXIMUM_RATIO.

    ``coding`` is the Content-Encoding; CodingRefusedError for one that is not known, BodyRefusedError for bytes that
    are not of it.
    """
    name = coding.strip().lower()
    if name in {"", "identity"}:
        return raw
    if name not in WINDOW_BITS:
        raise CodingRefusedError(f"Content-Encoding must be gzip or deflate here, not {name[:40]!r}.")
    plain = _inflated(raw, WINDOW_BITS[name], limit)
    if (size := len(plain)) > limit:
        raise BodyTooLargeError(f"The body inflates to more than the limit of {limit} bytes.")
    if size > RATIO_FREE_BYTES and size > MAXIMUM_RATIO * len(raw):
        raise BodyTooLargeError(f"The body inflates to more than {MAXIMUM_RATIO} times its size.")
    return plain


def _inflated(raw: bytes, bits: int, limit: int) -> bytes:
    inflator, plain, rest = zlib.decompressobj(bits), bytearray(), raw
    try:
        while rest and not inflator.eof and len(plain) <= limit:
            plain += inflator.decompress(rest, PIECE)
            rest = inflator.unconsumed_tail
    except zlib.error:
        raise BodyRefusedError("The body is not of its Content-Encoding.") from None
    if len(plain) <= limit and (not inflator.eof or inflator.unused_data):
        # A second gzip member would be read by some and left out by others.
        raise BodyRefusedError("The compressed body is cut off, or more follows its end.")
    return bytes(plain)
