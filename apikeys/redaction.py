"""Remove the secret part of keys from any text, however it was put there; pure.

Whatever a caller sends may end in a log line or a column: a path, a query, a User-Agent, a run's name. Keys are found
by their shape, also percent-encoded or inside the base64 of Basic, so that no call site has to know.
"""

import base64
import re
from urllib.parse import unquote

from apikeys.keys import ENVIRONMENTS, ID_LENGTH

# The id part stays readable: operators find the row by it. Cut-off and overlong texts of the shape go too.
# In any case: a server that complains of a header's name writes it in capitals.
_KEY = re.compile(rf"(?i)(hk_(?:{'|'.join(ENVIRONMENTS)})_[0-9a-z]{{{ID_LENGTH}}})[0-9a-z]+")
_LONG_RUN = re.compile(r"[A-Za-z0-9_%+/=.~-]{24,}")


def _base64_signs() -> re.Pattern[str]:
    """Return what the base64 of a key's beginning always holds, at each of its three alignments."""
    signs = set()
    for environment in ENVIRONMENTS:
        start = f"hk_{environment}_".encode()
        for shift in range(3):
            encoded = base64.b64encode(b"\0" * shift + start).decode().rstrip("=")
            # The first characters mix with what stands before, the last one with what follows.
            signs.add(encoded[(shift * 8 + 5) // 6 : -1])
    return re.compile("|".join(sorted(map(re.escape, signs))))


_BASE64_SIGN = _base64_signs()


def redact_keys(text: str) -> str:
    """Return the text with ``…`` for the secret part of every key in it."""
    # Case folded, not lowered: patterns that ignore case take ``K`` (U+212A) for a k.
    plain = _KEY.sub(r"\1…", text) if "hk_" in text.casefold() else text
    return _LONG_RUN.sub(_clean, plain)


def _clean(run: re.Match[str]) -> str:
    plain = unquote(run.group()) if "%" in run.group() else run.group()
    if _BASE64_SIGN.search(plain):
        return "…"
    return _KEY.sub(r"\1…", plain) if _KEY.search(plain) else run.group()
