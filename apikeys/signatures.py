"""The secrets and signatures of webhooks, by the words of Standard Webhooks; pure: no database, no socket, no clock.

A secret is not stored: it is derived from a pepper and a seed, which is. A seed is ``<pepper's number>:<random>``.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Iterable

from apikeys.keys import Peppers, UnknownPepperError

PREFIX = "whsec_"
# No key begins like this, so that what a pepper makes of seeds says nothing about digests.
PURPOSE = b"webhook secret "


def new_seed(peppers: Peppers) -> str:
    """Return a seed that nobody had before, for the newest pepper."""
    return f"{max(peppers)}:{secrets.token_hex(16)}"


def pepper_of(seed: str) -> int:
    """Return the number of the pepper that a seed needs."""
    return int(seed.partition(":")[0])


def secret_of(seed: str, peppers: Peppers) -> bytes:
    """Return the 32 bytes that a seed stands for; raises UnknownPepperError."""
    number = pepper_of(seed)
    if number not in peppers:
        raise UnknownPepperError(f"pepper {number} is not configured")
    return hmac.new(peppers[number], PURPOSE + seed.encode(), hashlib.sha256).digest()


def as_text(secret: bytes) -> str:
    """Return a secret as its receiver is given it."""
    return PREFIX + base64.b64encode(secret).decode()


def as_bytes(text: str) -> bytes:
    """Return the secret that an operator wrote: base64 behind ``whsec_``, or any other text as it is."""
    if text.startswith(PREFIX):
        try:
            return base64.b64decode(text.removeprefix(PREFIX), validate=True)
        except binascii.Error:
            return text.encode()
    return text.encode()


def headers(keys: Iterable[bytes], message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the headers of a message: ``timestamp`` is in seconds, and each secret gives one signature."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    signatures = (base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode() for key in keys)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }
