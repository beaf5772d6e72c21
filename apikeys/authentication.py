"""DRF's authentication: one credential in a header becomes (service, API key), or a 401 that tells a stranger nothing.

Never runs a password hasher, keeps no cache and writes nothing: one indexed query, after the checksum.
"""

import base64
import binascii
from collections.abc import Callable, Mapping

import structlog
from django.http import HttpRequest
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from apikeys import addresses, conf, failures, keys, lookups, usage
from apikeys.exceptions import PaceError
from apikeys.models import ApiKey, Service

log = structlog.get_logger(__name__)

# Longer than any key in any carrier; a megabyte of credential is refused before it is looked at.
MAXIMUM_CREDENTIAL_LENGTH = 256
Prover = Callable[[str, str | None], ApiKey]
BASIC_USER_FOR_ANY_SERVICE = "__token__"
LOOKED_IN = "Authorization: Bearer, Authorization: ApiKey, X-API-Key, or Basic with the key as password"


class CredentialRefusedError(AuthenticationFailed):
    """401. ``reason`` is for the log alone: to the caller every refused credential reads the same."""

    def __init__(self, reason: str, detail: str, public_id: str = "") -> None:
        super().__init__(detail)
        self.reason = reason
        self.public_id = public_id


class TooManyFailuresError(PaceError):
    """429: this id or address was refused too often; says nothing of the key."""

    reason = "TOO_MANY_FAILURES"
    wait = 30


class ApiKeyAuthentication(BaseAuthentication):
    """Bearer, ApiKey, X-API-Key, or Basic whose password is the key; exactly one credential per request."""

    def authenticate(self, request: Request) -> tuple[Service, ApiKey]:
        try:
            row = identify(self.credential_headers(request), client_address(request), self.prove)
        except CredentialRefusedError as error:
            _log(error)
            raise
        structlog.contextvars.bind_contextvars(service=row.service.service_id, api_key=row.public_id)
        self.note_use(row, request)
        return row.service, row

    def prove(self, text: str, address: str | None) -> ApiKey:
        """Return the row of a key that may be used; raises what ``verify`` raises."""
        return verify(text, address)

    def note_use(self, row: ApiKey, request: Request) -> None:
        """Remember that the key was used, from where and by what."""
        usage.record(row.pk, client_address(request), request.headers.get("User-Agent", ""))

    def credential_headers(self, request: Request) -> Mapping[str, str]:
        """Return where to look for the credential."""
        return request.headers

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


def identify(headers: Mapping[str, str], address: str | None, prove: Prover | None = None) -> ApiKey:
    """Return the row of the one credential in the headers; raises what ``verify``, or the ``prove`` given, raises."""
    user, text = find_credential(headers)
    row = (prove or verify)(text, address)
    if user not in {"", BASIC_USER_FOR_ANY_SERVICE, row.service.service_id}:
        raise _refused("BASIC_USER_MISMATCH", row.public_id)
    return row


def find_credential(headers: Mapping[str, str]) -> tuple[str, str]:
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


def verify(text: str, address: str | None = None) -> ApiKey:
    """Return the row of a key that may be used now; raises CredentialRefusedError with the precise reason.

    Raises TooManyFailuresError, before any query, for an id or address that has failed too often in the last minute.

    The order is: shape and checksum, row, digest, revocation, expiry, service; so a reason is only ever learnt by
    somebody who holds the whole secret, and then only by the operator who reads the log.
    """
    row = genuine(text, address)
    if reason := fault_of(row):
        failures.count(row.public_id, address)
        raise _refused(reason, row.public_id)
    failures.remember_good(row.public_id)
    return row


def genuine(text: str, address: str | None = None) -> ApiKey:
    """Return the row of a key whose secret is right, whether or not it may still be used; raises as ``verify``."""
    if len(text) > MAXIMUM_CREDENTIAL_LENGTH:
        raise _refused("KEY_MALFORMED")
    try:
        key = keys.parse(text)
    except keys.MalformedKeyError:
        raise _refused("KEY_MALFORMED") from None
    if failures.is_paced(key.public_id, address):
        raise TooManyFailuresError("Too many refused keys from here. Try again in a minute with a valid one.")
    row = lookups.find(key.public_id)
    # An unknown id costs the same digest as a known one, so that time does not tell them apart.
    stored, number = (row.digest, row.pepper_number) if row else ("0" * 64, max(conf.peppers()))
    is_genuine = keys.is_digest_of(stored, key, number, conf.peppers())
    if row is None or not is_genuine:
        failures.count(key.public_id, address)
        raise _refused("KEY_SECRET_WRONG" if row else "KEY_UNKNOWN", key.public_id)
    return row


def refuse_ended(row: ApiKey) -> None:
    """Raise CredentialRefusedError where a key that was good when its call began may no longer be used."""
    now = ApiKey.objects.with_validity().get(pk=row.pk)
    if reason := fault_of(now):
        error = _refused(reason, row.public_id)
        _log(error)
        raise error


def fault_of(row: ApiKey) -> str:
    """Return why a known key may not be used now, or an empty text; needs the annotation of ``with_validity``."""
    reason = ""
    if row.is_revoked:
        reason = "KEY_REVOKED"
    elif row.is_expired:  # type: ignore[attr-defined]
        reason = "KEY_EXPIRED"
    elif row.is_disabled:
        reason = "KEY_DISABLED"
    elif row.service.is_disabled:
        reason = "SERVICE_DISABLED"
    return reason


def client_address(request: Request | HttpRequest) -> str | None:
    """Return the caller's address, believing forwarded headers from HOKUSAI_TRUSTED_PROXIES only."""
    peer, forwarded = request.META.get("REMOTE_ADDR", ""), request.META.get("HTTP_X_FORWARDED_FOR", "")
    return addresses.client_address(peer, forwarded, conf.trusted_proxies())


def _refused(reason: str, public_id: str = "") -> CredentialRefusedError:
    return CredentialRefusedError(reason, "The API key is not valid. Ask its service's owner for a new one.", public_id)


def _log(error: CredentialRefusedError) -> None:
    log.warning("credential_refused", reason=error.reason, api_key=error.public_id)


def _from_authorization(value: str) -> tuple[str, str]:
    scheme, _, rest = value.strip().partition(" ")
    match scheme.lower():
        case "bearer" | "apikey":
            return "", rest.strip()
        case "basic":
            return _from_basic(rest.strip())
    raise CredentialRefusedError("SCHEME_UNKNOWN", f"This Authorization scheme is not known. Use {LOOKED_IN}.")


def _from_basic(encoded: str) -> tuple[str, str]:
    if len(encoded) > 2 * MAXIMUM_CREDENTIAL_LENGTH:
        raise _refused("BASIC_MALFORMED")
    try:
        user, colon, password = base64.b64decode(encoded, validate=True).decode("utf-8").partition(":")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise _refused("BASIC_MALFORMED") from None
    if not colon or not user:
        raise _refused("BASIC_MALFORMED")
    return user, password
