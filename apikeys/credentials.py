"""Where in a request's headers the one credential is; knows no key and asks nobody."""

import base64
import binascii
from collections.abc import Mapping

from rest_framework.exceptions import AuthenticationFailed

# Longer than any key in any carrier; a megabyte of credential is refused before it is looked at.
MAXIMUM_LENGTH = 256
BASIC_USER_FOR_ANY_SERVICE = "__token__"
LOOKED_IN = "Authorization: Bearer, Authorization: ApiKey, X-API-Key, or Basic with the key as password"


class CredentialRefusedError(AuthenticationFailed):
    """401. ``reason`` is for the log alone: to the caller every refused credential reads the same."""

    def __init__(self, reason: str, detail: str, public_id: str = "") -> None:
        super().__init__(detail)
        self.reason = reason
        self.public_id = public_id


def refused(reason: str, public_id: str = "") -> CredentialRefusedError:
    """Return the refusal that tells a stranger nothing."""
    return CredentialRefusedError(reason, "The API key is not valid. Ask its service's owner for a new one.", public_id)


def find(headers: Mapping[str, str]) -> tuple[str, str]:
    """Return (Basic user or "", key text) from the headers; raises CredentialRefusedError.

    ``Authorization`` and ``X-API-Key`` together are accepted only when they carry the same key.
    """
    found = []
    if "Authorization" in headers:
        found.append(_from_authorization(headers["Authorization"]))
    if "X-Api-Key" in headers:
        found.append(("", headers["X-Api-Key"].strip()))
    if not found:
        raise CredentialRefusedError("KEY_MISSING", f"No API key found. Looked in {LOOKED_IN}.")
    if len({text for _, text in found}) > 1:
        raise CredentialRefusedError(
            "CREDENTIALS_DIFFER", "Two different credentials were sent. Send one: Authorization or X-API-Key."
        )
    return found[0]


def _from_authorization(value: str) -> tuple[str, str]:
    scheme, _, rest = value.strip().partition(" ")
    match scheme.lower():
        case "bearer" | "apikey":
            return "", rest.strip()
        case "basic":
            return _from_basic(rest.strip())
    raise CredentialRefusedError("SCHEME_UNKNOWN", f"This Authorization scheme is not known. Use {LOOKED_IN}.")


def _from_basic(encoded: str) -> tuple[str, str]:
    if len(encoded) > 2 * MAXIMUM_LENGTH:
        raise refused("BASIC_MALFORMED")
    try:
        user, colon, password = base64.b64decode(encoded, validate=True).decode("utf-8").partition(":")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise refused("BASIC_MALFORMED") from None
    if not colon or not user:
        raise refused("BASIC_MALFORMED")
    return user, password
