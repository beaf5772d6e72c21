"""Mint, parse, checksum and digest API keys; pure: no database, no settings, no request.

A key is ``hk_<env>_<id><secret><crc>``: 12 + 34 + 6 characters of ``[0-9A-Za-z]``. The secret carries
34 x log2(62) = 202 bits. The checksum lets a scanner or a typo be told from a key without a database.
"""

import hmac
import re
import secrets
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
ENVIRONMENTS = ("live", "test", "dev")
ID_LENGTH, SECRET_LENGTH, CHECKSUM_LENGTH = 12, 34, 6
PATTERN = re.compile(
    rf"(?P<public_id>hk_(?P<environment>{'|'.join(ENVIRONMENTS)})_[0-9A-Za-z]{{{ID_LENGTH}}})"
    rf"(?P<secret>[0-9A-Za-z]{{{SECRET_LENGTH}}})(?P<checksum>[0-9A-Za-z]{{{CHECKSUM_LENGTH}}})"
)
PUBLIC_ID_PATTERN = rf"^hk_({'|'.join(ENVIRONMENTS)})_[0-9A-Za-z]{{{ID_LENGTH}}}$"

Peppers = Mapping[int, bytes]


class MalformedKeyError(ValueError):
    """The text is not a key: wrong shape or wrong checksum. The message never contains the text."""


class UnknownPepperError(LookupError):
    """A row names a pepper number that the configuration does not carry."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key in the clear. ``text`` is the secret: it stays out of repr, and so out of tracebacks and logs."""

    public_id: str
    environment: str
    text: str = field(repr=False)


def checksum(body: str) -> str:
    """Return the CRC-32 of an ASCII text as 6 base-62 digits, most significant first."""
    number = zlib.crc32(body.encode("ascii"))
    digits = ""
    for _ in range(CHECKSUM_LENGTH):
        number, digit = divmod(number, len(ALPHABET))
        digits = ALPHABET[digit] + digits
    return digits


def mint(environment: str) -> Key:
    """Return a new random key for one of ENVIRONMENTS; raises ValueError for another word."""
    if environment not in ENVIRONMENTS:
        raise ValueError(f"environment must be one of {', '.join(ENVIRONMENTS)}, not {environment!r}")
    characters = "".join(secrets.choice(ALPHABET) for _ in range(ID_LENGTH + SECRET_LENGTH))
    body = f"hk_{environment}_{characters}"
    return Key(body[:-SECRET_LENGTH], environment, body + checksum(body))


def parse(text: str) -> Key:
    """Return the key that a text is; raises MalformedKeyError without touching anything secret."""
    match = PATTERN.fullmatch(text)
    if match is None:
        raise MalformedKeyError("not of the form hk_<env>_ and 52 characters of [0-9A-Za-z]")
    if not hmac.compare_digest(checksum(text[:-CHECKSUM_LENGTH]), match["checksum"]):
        raise MalformedKeyError("the checksum does not match: a character is missing or mistyped")
    return Key(match["public_id"], match["environment"], text)


def digest(key: Key, number: int, peppers: Peppers) -> str:
    """Return HMAC-SHA-256 of the whole key under the numbered pepper, as 64 hexadecimal digits."""
    try:
        pepper = peppers[number]
    except KeyError:
        raise UnknownPepperError(f"pepper {number} is not configured") from None
    return hmac.digest(pepper, key.text.encode("ascii"), "sha256").hex()


def is_digest_of(stored: str, key: Key, number: int, peppers: Peppers) -> bool:
    """Return whether ``stored`` is the key's digest, in time that does not depend on where they differ."""
    return is_same(stored, digest(key, number, peppers))


def is_same(stored: str, digest_of_key: str) -> bool:
    """Return whether two digests are one, in time that does not depend on where they differ."""
    return hmac.compare_digest(stored, digest_of_key)


def parse_peppers(text: str) -> dict[int, bytes]:
    """Return ``1:aaaa,2:bbbb`` as numbers and bytes; raises ValueError naming the entry's position, not its value."""
    peppers = {}
    for position, entry in enumerate(text.split(","), start=1):
        number, _, value = entry.strip().partition(":")
        if not number.isdecimal() or len(value) < 32:
            raise ValueError(f"entry {position} must look like <number>:<32 or more random characters>")
        if int(number) in peppers:
            raise ValueError(f"entry {position} repeats the number {number}")
        peppers[int(number)] = value.encode()
    return peppers
