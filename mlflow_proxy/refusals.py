"""What an exception means to the caller: the one place where DRF's, Django's and our own errors become replies."""

import secrets

import structlog
from django.db import Error as DatabaseFault
from rest_framework.exceptions import APIException, AuthenticationFailed, MethodNotAllowed, PermissionDenied

from apikeys.credentials import CredentialRefusedError
from apikeys.exceptions import PaceError
from apikeys.keys import UnknownPepperError
from mlflow_proxy import replies
from mlflow_proxy.exceptions import (
    ArtifactsDisabledError,
    DatabaseUnavailableError,
    ForbiddenError,
    MethodRefusedError,
    PaceExceededError,
    ProxyError,
    RangeRefusedError,
    UnauthenticatedError,
    UpstreamRejectedError,
)

log = structlog.get_logger(__name__)

MEANINGS: tuple[tuple[type[APIException], type[ProxyError]], ...] = (
    (AuthenticationFailed, UnauthenticatedError),
    (PermissionDenied, ForbiddenError),
    (PaceError, PaceExceededError),
    (MethodNotAllowed, MethodRefusedError),
)


def render(exc: Exception) -> replies.ErrorReply:
    """Return MLflow's JSON for any exception of the proxy paths, never HTML, never a traceback; logs it once."""
    fault = as_proxy_error(exc)
    facts = dict(getattr(exc, "facts", {}))
    if isinstance(fault, ArtifactsDisabledError):
        # The field that the predecessor's callers look for.
        facts["error"] = fault.reason
    reply = replies.error_body(fault.status, fault.error_code, fault.reason, str(fault), **facts)
    if fault.retry_after is not None:
        # Whoever was refused at once shall not come back at once.
        reply["Retry-After"] = str(fault.retry_after + secrets.randbelow(fault.retry_spread + 1))
    if isinstance(fault, RangeRefusedError) and fault.size is not None:
        reply["Content-Range"] = f"bytes */{fault.size}"
    if isinstance(exc, CredentialRefusedError):
        # Logged where it was found; why is for the log and the counters alone.
        reply.reason = exc.reason
    else:
        log.warning("request_refused", reason=fault.reason, status=fault.status)
    return reply


def as_proxy_error(exc: Exception) -> ProxyError:
    """Return what an exception means to the caller, in the words of mlflow_proxy.exceptions."""
    if isinstance(exc, ProxyError):
        return exc
    for theirs, ours in MEANINGS:
        if isinstance(exc, theirs):
            # Why a credential was refused is for the log alone.
            reason = "" if ours is UnauthenticatedError else getattr(exc, "reason", "")
            fault = ours(str(exc.detail), reason=reason)
            fault.retry_after = getattr(exc, "wait", None)
            return fault
    if isinstance(exc, DatabaseFault):
        # Unknown is not unauthorised: a 401 here would send people to ask for new keys.
        log.error("database_unavailable", error=type(exc).__name__)
        return DatabaseUnavailableError()
    if isinstance(exc, UnknownPepperError):
        log.error("pepper_missing", hint=f"{exc}: put it back into HOKUSAI_KEY_PEPPERS, or revoke its keys")
        return UpstreamRejectedError(reason="PEPPER_MISSING")
    log.error("request_failed", exc_info=exc)
    return ProxyError()
