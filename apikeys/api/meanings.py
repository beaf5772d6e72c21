"""The closed list of problems of the REST API, with status and title; the page of errors and every reply read it.

docs/errors.md has a section for each.
"""

from types import MappingProxyType
from typing import NamedTuple

from apikeys import conf

PAGE = "/api/docs/errors"


class Meaning(NamedTuple):
    """What all problems of a reason have in common: the status, and a title for people."""

    status: int
    title: str


MEANINGS = MappingProxyType(
    {
        "PARSE_ERROR": Meaning(400, "The body is not one JSON object"),
        "FIELD_REFUSED": Meaning(400, "A field or parameter is unknown, missing or has a wrong value"),
        "UNAUTHENTICATED": Meaning(401, "No valid API key, and no session of staff"),
        "SCOPE_MISSING": Meaning(403, "The key lacks the scope"),
        "ADDRESS_REFUSED": Meaning(403, "The key may not be used from this address"),
        "SERVICE_MISMATCH": Meaning(403, "The key belongs to another service"),
        "GRANT_EXCEEDED": Meaning(403, "Nobody hands on more than they may"),
        "CSRF_FAILED": Meaning(403, "The session's request carries no valid CSRF token"),
        "PERMISSION_DENIED": Meaning(403, "This caller may not do this"),
        "NOT_FOUND": Meaning(404, "Nothing of that name is within the caller's reach"),
        "METHOD_NOT_ALLOWED": Meaning(405, "The address has no such method"),
        "NOT_ACCEPTABLE": Meaning(406, "The answer has no such form"),
        "ALREADY_ISSUED": Meaning(409, "The same request came before and issued a key"),
        "ALREADY_ROTATED": Meaning(409, "The key has a successor"),
        "ALREADY_REVOKED": Meaning(409, "The key has ended for good"),
        "SERVICE_EXISTS": Meaning(409, "The service id is taken"),
        "STATE_REFUSED": Meaning(409, "The present state does not allow this"),
        "PRECONDITION_FAILED": Meaning(412, "It has changed since it was read"),
        "BODY_TOO_LARGE": Meaning(413, "The body is too large"),
        "UNSUPPORTED_MEDIA_TYPE": Meaning(415, "The body is not JSON"),
        "PEPPER_MISSING": Meaning(424, "The portal's own set-up is at fault"),
        "PRECONDITION_REQUIRED": Meaning(428, "The change says not what it is based on"),
        "RATE_EXCEEDED": Meaning(429, "The key has used up its hour"),
        "CONCURRENCY_EXCEEDED": Meaning(429, "The key has too many calls open"),
        "TOO_MANY_FAILURES": Meaning(429, "Too many refused keys came from here"),
        "DATABASE_UNAVAILABLE": Meaning(503, "The portal's database cannot be reached"),
    }
)


def type_of(reason: str) -> str:
    """Return the address of the reason's entry on the page of errors; relative where the portal knows no public URL."""
    return f"{conf.public_url().rstrip('/')}{PAGE}#{reason}"
