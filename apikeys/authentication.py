"""DRF's authentication: one credential in a header becomes (service, API key), or a 401 that tells a stranger nothing.

Never runs a password hasher, keeps no cache and writes nothing: one indexed query, after the checksum.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import structlog
from django.db import Error as DatabaseFault
from django.http import HttpRequest
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from apikeys import addresses, conf, credentials, failures, keys, lookups, usage
from apikeys.credentials import CredentialRefusedError, refused
from apikeys.exceptions import PaceError
from apikeys.fields import Fields
from apikeys.models import ApiKey, Service

log = structlog.get_logger(__name__)

# Where a request's environ holds the claim that was made of it.
CLAIM = "hokusai.claim"


class TooManyFailuresError(PaceError):
    """429: this id or address was refused too often; says nothing of the key."""

    reason = "TOO_MANY_FAILURES"
    wait = 30


class ApiKeyAuthentication(BaseAuthentication):
    """Bearer, ApiKey, X-API-Key, or Basic whose password is the key; exactly one credential per request."""

    def authenticate(self, request: Request) -> tuple[Service, ApiKey]:
        try:
            row = self.prove(self.claim(request))
        except CredentialRefusedError as error:
            _log(error)
            raise
        structlog.contextvars.bind_contextvars(service=row.service.service_id, api_key=row.public_id)
        self.note_use(row, request)
        return row.service, row

    def claim(self, request: Request) -> "Claim":
        """Return what the request claims; raises as ``claim_of``."""
        return claim_of(Fields(request.META), client_address(request))

    def prove(self, claim: "Claim") -> ApiKey:
        """Return the row of a key that may be used; raises what ``Claim.verify`` raises."""
        return claim.verify()

    def note_use(self, row: ApiKey, request: Request) -> None:
        """Remember that the key was used, from where and by what."""
        usage.record(row.pk, client_address(request), Fields(request.META).get("User-Agent", ""))

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class EarlyClaimAuthentication(ApiKeyAuthentication):
    """The same, of a claim that ``claim_early`` may have made before."""

    def claim(self, request: Request) -> "Claim":
        made: Claim | None = request.META.pop(CLAIM, None)
        return made or super().claim(request)


class Claim:
    """A credential that has a key's shape. The database looks the key up meanwhile.

    Making one raises CredentialRefusedError for what is no key and, before any query, TooManyFailuresError for an id
    or address that has failed too often in the last minute. One that nobody proves has to be dropped.
    """

    def __init__(self, text: str, address: str | None = None, user: str = "") -> None:
        self._key, self._address, self._user = _parse(text), address, user
        if failures.is_paced(self._key.public_id, address):
            raise TooManyFailuresError("Too many refused keys from here. Try again in a minute with a valid one.")
        self._lookup = lookups.Lookup(self._key.public_id)

    def verify(self) -> ApiKey:
        """Return the row of a key that may be used now; raises CredentialRefusedError with the precise reason.

        The order is: shape and checksum, row, digest, revocation, expiry, service; so a reason is only ever learnt by
        somebody who holds the whole secret, and then only by the operator who reads the log.
        """
        row = self.genuine()
        if reason := fault_of(row):
            failures.count(row.public_id, self._address)
            raise refused(reason, row.public_id)
        failures.remember_good(row.public_id)
        if self._user not in {"", credentials.BASIC_USER_FOR_ANY_SERVICE, row.service.service_id}:
            raise refused("BASIC_USER_MISMATCH", row.public_id)
        return row

    def genuine(self) -> ApiKey:
        """Return the row of a key whose secret is right, whether or not it may still be used; raises as ``verify``."""
        key, peppers = self._key, conf.peppers()
        # Under each pepper, while the database works: time tells no unknown id from a known one.
        digests = {number: keys.digest(key, number, peppers) for number in peppers}
        row = self._lookup.answer()
        stored, number = (row.digest, row.pepper_number) if row else ("0" * 64, max(peppers))
        is_genuine = keys.is_same(stored, digests.get(number) or keys.digest(key, number, peppers))
        if row is None or not is_genuine:
            failures.count(key.public_id, self._address)
            raise refused("KEY_SECRET_WRONG" if row else "KEY_UNKNOWN", key.public_id)
        return row

    def drop(self) -> None:
        """Let go of what a claim that was not proven holds: its query counts as a failure like any other."""
        if self._lookup.is_under_way:
            with suppress(CredentialRefusedError, keys.UnknownPepperError, DatabaseFault):
                self.verify()


def claim_of(headers: Mapping[str, str], address: str | None) -> Claim:
    """Return what the one credential in the headers claims; raises as ``credentials.find`` and ``Claim``."""
    user, text = credentials.find(headers)
    return Claim(text, address, user)


def claim_early(environ: dict[str, Any]) -> Claim | None:
    """Make the claim that EarlyClaimAuthentication will take over; None where that one will refuse it.

    ``environ`` is a request's, of WSGI.
    """
    try:
        claim = claim_of(Fields(environ), address_of(environ))
    except (CredentialRefusedError, TooManyFailuresError):
        return None
    environ[CLAIM] = claim
    return claim


def verify(text: str, address: str | None = None) -> ApiKey:
    """Return the row of a key that may be used now; raises as ``Claim`` and its ``verify``."""
    return Claim(text, address).verify()


def refuse_ended(row: ApiKey) -> None:
    """Raise CredentialRefusedError where a key that was good when its call began may no longer be used."""
    now = ApiKey.objects.with_validity().get(pk=row.pk)
    if reason := fault_of(now):
        error = refused(reason, row.public_id)
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
    return address_of(request.META)


def address_of(environ: Mapping[str, Any]) -> str | None:
    """Return the caller's address from a request's environ, as ``client_address`` does."""
    peer, forwarded = environ.get("REMOTE_ADDR", ""), environ.get("HTTP_X_FORWARDED_FOR", "")
    return addresses.client_address(peer, forwarded, conf.trusted_proxies())


def _parse(text: str) -> keys.Key:
    if len(text) > credentials.MAXIMUM_LENGTH:
        raise refused("KEY_MALFORMED")
    try:
        return keys.parse(text)
    except keys.MalformedKeyError:
        raise refused("KEY_MALFORMED") from None


def _log(error: CredentialRefusedError) -> None:
    log.warning("credential_refused", reason=error.reason, api_key=error.public_id)
