"""Writes that say what they are based on (RFC 9110 §13), and requests that are sent once; reads headers alone."""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from rest_framework import status
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request

# Uses of a key change what is told of it without anybody's doing: they do not make a change stale.
UNSTEADY = ("last_used_at", "last_used_ip", "last_used_agent", "status", "is_active")
IDEMPOTENCY_HEADER = "Idempotency-Key"
_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,255}")


class PreconditionRequiredError(APIException):
    """428: without If-Match, two people's changes could undo each other unseen."""

    status_code = status.HTTP_428_PRECONDITION_REQUIRED
    reason = "PRECONDITION_REQUIRED"
    default_detail = "Send If-Match with the ETag of the last reading, or * to change it whatever it is."


class PreconditionFailedError(APIException):
    """412: somebody else was faster."""

    status_code = status.HTTP_412_PRECONDITION_FAILED
    reason = "PRECONDITION_FAILED"
    default_detail = "It has changed since it was read. Read it again, and send its new ETag."


def etag_of(document: Mapping[str, Any]) -> str:
    """Return the entity tag of a document: the same one as long as nobody changes what it tells of."""
    steady = {name: value for name, value in document.items() if name not in UNSTEADY}
    text = json.dumps(json.loads(JSONRenderer().render(steady)), sort_keys=True)
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'


def refuse_stale(request: Request, etag: str) -> None:
    """Raise PreconditionRequiredError without If-Match, PreconditionFailedError where it names another state."""
    asked = request.headers.get("If-Match")
    if asked is None:
        raise PreconditionRequiredError()
    if asked.strip() != "*" and etag not in {tag.strip() for tag in asked.split(",")}:
        raise PreconditionFailedError()


def idempotency_key(request: Request) -> str:
    """Return what makes the same request, sent twice, one; empty without. Raises ValidationError for a bad one."""
    key = request.headers.get(IDEMPOTENCY_HEADER, "")
    if IDEMPOTENCY_HEADER in request.headers and not _IDEMPOTENCY_KEY.fullmatch(key):
        raise ValidationError({IDEMPOTENCY_HEADER: "Send 1 to 255 visible ASCII characters."})
    return key
