"""Errors of the REST API as problem details (RFC 9457); maps exceptions and knows no view."""

from typing import Any

import structlog
from django.db import Error as DatabaseFault
from rest_framework import status
from rest_framework.exceptions import APIException, AuthenticationFailed
from rest_framework.response import Response

from apikeys.keys import UnknownPepperError

log = structlog.get_logger(__name__)


class Problem(Response):
    """A problem document; ``reason`` is what it is counted by, which may be more than the caller is told."""

    reason = ""


def handle(exc: Exception, context: dict[str, Any]) -> Problem | None:
    """Return a problem document for whatever a view raised; None leaves a bug to Django's own handler."""
    problem = _problem_of(exc)
    if problem is not None and not isinstance(exc, AuthenticationFailed):
        # Why a credential was refused is in the log already.
        log.warning("request_refused", reason=problem.reason, status=problem.status_code)
    return problem


def _problem_of(exc: Exception) -> Problem | None:
    if isinstance(exc, DatabaseFault):
        log.error("database_unavailable", error=type(exc).__name__)
        reply = _problem(503, "DATABASE_UNAVAILABLE", "The portal's database cannot be reached. Try again shortly.")
        reply["Retry-After"] = "2"
        return reply
    if isinstance(exc, UnknownPepperError):
        log.error("pepper_missing", hint=str(exc))
        return _problem(
            424, "PEPPER_MISSING", "The portal's own set-up is at fault. Tell its operators the request id."
        )
    if not isinstance(exc, APIException):
        return None
    # What the log says of a refused credential is not for the caller.
    is_anonymous = exc.status_code == status.HTTP_401_UNAUTHORIZED
    reason = "UNAUTHENTICATED" if is_anonymous else getattr(exc, "reason", str(exc.default_code).upper())
    reply = _problem(exc.status_code, reason, str(exc.detail), **getattr(exc, "facts", {}))
    if (wait := getattr(exc, "wait", None)) is not None:
        reply["Retry-After"] = str(wait)
    if is_anonymous:
        reply["WWW-Authenticate"] = "Bearer"
        reply.reason = getattr(exc, "reason", reason)
    return reply


def _problem(code: int, reason: str, detail: str, **facts: Any) -> Problem:
    document = {
        "type": f"urn:hokusai-portal:error:{reason.lower()}",
        "title": reason.replace("_", " ").capitalize(),
        "status": code,
        "reason": reason,
        "detail": detail,
        "request_id": structlog.contextvars.get_contextvars().get("request_id", ""),
        **facts,
    }
    problem = Problem(
        document, status=code, headers={"Cache-Control": "no-store"}, content_type="application/problem+json"
    )
    problem.reason = reason
    return problem
