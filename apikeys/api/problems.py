"""Errors of the REST API as problem details (RFC 9457); maps exceptions and knows no view."""

from typing import Any, NamedTuple

import structlog
from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import Error as DatabaseFault
from django.http import Http404
from rest_framework.exceptions import (
    APIException,
    AuthenticationFailed,
    NotFound,
    PermissionDenied,
    ValidationError,
)
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response
from rest_framework.settings import api_settings

from apikeys.api import meanings
from apikeys.keys import UnknownPepperError
from apikeys.rules import ActionRefusedError, AlreadyIssuedError, AlreadyRevokedError, AlreadyRotatedError

log = structlog.get_logger(__name__)

REASONS_OF_REFUSALS = {
    AlreadyIssuedError: "ALREADY_ISSUED",
    AlreadyRotatedError: "ALREADY_ROTATED",
    AlreadyRevokedError: "ALREADY_REVOKED",
}


class Fault(NamedTuple):
    """What is told of an exception: a reason of ``meanings``, a sentence, more facts, and headers."""

    reason: str
    detail: str
    facts: dict[str, Any] = {}  # a NamedTuple's default, which nobody changes
    headers: dict[str, str] = {}


class Problem(Response):
    """A problem document; ``reason`` is what it is counted by, which may be more than the caller is told."""

    reason = ""

    @property
    def rendered_content(self) -> bytes:  # type: ignore[override]  # as DRF's own
        """Return JSON whatever form the answer would have had."""
        self["Content-Type"] = "application/problem+json"
        rendered: bytes = JSONRenderer().render(self.data)
        return rendered


def handle(exc: Exception, context: dict[str, Any]) -> Problem | None:
    """Return a problem document for whatever a view raised; None leaves a bug to Django's own handler."""
    fault = _fault_of(exc)
    if fault is None:
        return None
    problem = _problem(fault)
    if isinstance(exc, AuthenticationFailed):
        # Why a credential was refused is in the log already; the counters learn it too, the caller does not.
        problem.reason = getattr(exc, "reason", fault.reason)
    else:
        log.warning("request_refused", reason=fault.reason, status=problem.status_code)
    return problem


def _fault_of(exc: Exception) -> Fault | None:
    if isinstance(exc, DatabaseFault):
        log.error("database_unavailable", error=type(exc).__name__)
        detail = "The portal's database cannot be reached. Try again shortly."
        return Fault("DATABASE_UNAVAILABLE", detail, headers={"Retry-After": "2"})
    if isinstance(exc, UnknownPepperError):
        log.error("pepper_missing", hint=str(exc))
        return Fault("PEPPER_MISSING", "The portal's own set-up is at fault. Tell its operators the request id.")
    if isinstance(exc, ActionRefusedError):
        return _fault_of_refusal(exc)
    match exc:
        case ValidationError() | DjangoValidationError():
            errors = list(_errors(exc.detail if isinstance(exc, ValidationError) else _by_field(exc)))
            return Fault("FIELD_REFUSED", _summary(errors), {"errors": errors})
        case Http404():
            exc = NotFound("Nothing of that name is within your reach.")
        case DjangoPermissionDenied():
            exc = PermissionDenied()
    return _fault_of_drf(exc) if isinstance(exc, APIException) else None


def _fault_of_drf(exc: APIException) -> Fault:
    if isinstance(exc, AuthenticationFailed):
        return Fault("UNAUTHENTICATED", str(exc.detail), headers={"WWW-Authenticate": "Bearer"})
    wait = getattr(exc, "wait", None)
    headers = {} if wait is None else {"Retry-After": str(wait)}
    reason = getattr(exc, "reason", str(exc.default_code).upper())
    return Fault(reason, str(exc.detail), getattr(exc, "facts", {}), headers)


def _fault_of_refusal(exc: ActionRefusedError) -> Fault:
    reason = REASONS_OF_REFUSALS.get(type(exc), "STATE_REFUSED")
    sentence = str(exc)
    facts = {"key_id": exc.key.public_id} if isinstance(exc, AlreadyIssuedError) else {}
    return Fault(reason, f"{sentence[:1].upper()}{sentence[1:]}.", facts)


def _problem(fault: Fault) -> Problem:
    meaning = meanings.MEANINGS[fault.reason]
    document = {
        "type": meanings.type_of(fault.reason),
        "title": meaning.title,
        "status": meaning.status,
        "reason": fault.reason,
        "detail": fault.detail,
        "request_id": structlog.contextvars.get_contextvars().get("request_id", ""),
        **fault.facts,
    }
    headers = {"Cache-Control": "no-store", **fault.headers}
    problem = Problem(document, status=meaning.status, headers=headers)
    problem.reason = fault.reason
    return problem


def _by_field(exc: DjangoValidationError) -> Any:
    return exc.message_dict if hasattr(exc, "error_dict") else exc.messages


def _errors(detail: Any, field: str = "") -> Any:
    """Yield ``{field, message}`` for each message in DRF's tree of lists and dictionaries."""
    if isinstance(detail, dict):
        for name, below in detail.items():
            is_whole = name in {api_settings.NON_FIELD_ERRORS_KEY, "__all__"}
            yield from _errors(below, field if is_whole else f"{field}.{name}".strip("."))
    elif isinstance(detail, list):
        for below in detail:
            yield from _errors(below, field)
    else:
        yield {"field": field, "message": str(detail)}


def _summary(errors: list[dict[str, str]]) -> str:
    return " ".join(f"{error['field']}: {error['message']}" if error["field"] else error["message"] for error in errors)
