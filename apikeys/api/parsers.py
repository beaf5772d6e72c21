"""Reads a JSON body of the REST API: one object, each field once, and no more bytes than such a request has."""

import json
from collections.abc import Mapping
from typing import IO, Any

from rest_framework import status
from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import JSONParser

MAXIMUM_BYTES = 1024**2


class BodyTooLargeError(APIException):
    """413; the rest of the body is not read."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    reason = "BODY_TOO_LARGE"
    default_detail = f"The body is larger than {MAXIMUM_BYTES} bytes."


class SmallJSONParser(JSONParser):
    """JSON in UTF-8. What two readers could take for two things, or would have to hold in bulk, is refused."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        raw = stream.read(MAXIMUM_BYTES + 1)
        if len(raw) > MAXIMUM_BYTES:
            raise BodyTooLargeError()
        try:
            document = json.loads(raw.decode(), object_pairs_hook=_object, parse_constant=_refuse)
            # Half a surrogate pair is no text: a reply that repeats it could not be written.
            json.dumps(document, ensure_ascii=False).encode()
        except (ValueError, RecursionError):
            raise ParseError("The body is not JSON in UTF-8, or names a field twice.") from None
        if not isinstance(document, dict):
            raise ParseError("The body must be a JSON object.")
        return document


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) < len(pairs):
        raise ValueError
    return document


def _refuse(word: str) -> None:
    raise ValueError(word)
