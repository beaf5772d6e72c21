"""What goes on around Django: the key of a client's call is looked up early; judges nothing."""

from collections.abc import Callable, Iterable
from typing import Any

from apikeys import authentication
from hokusai_portal import lanes


class Application:
    """A WSGI application around another, Django's.

    The database takes as long for a call's key as Django does up to the line that needs it: both work at once.
    """

    def __init__(self, django: Callable[..., Iterable[bytes]]) -> None:
        self._django = django

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        claim = authentication.claim_early(environ) if lanes.is_of_client(environ) else None
        try:
            return self._django(environ, start_response)
        finally:
            if claim is not None:
                claim.drop()
