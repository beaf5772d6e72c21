"""The base of every view that asks for a key: tells its caller when the key ends, and the counters of each call.

Decides nothing.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone
from rest_framework.views import APIView

from apikeys import calls, sunsets
from apikeys.fields import Fields
from apikeys.models import ApiKey


class CountedView(APIView):
    """Makes one FinishedCall of every call, also of one that was refused or whose caller left in the middle.

    A refusal is told by the ``reason`` that its response carries as an attribute.
    """

    traffic = "rest"

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().setup(request, *args, **kwargs)
        self._began_at, self._received_request = time.perf_counter(), request
        # What ends with the response, which may long outlive this view's method when bytes stream.
        self.on_close: list[Callable[[], None]] = []

    def received(self) -> int:
        """Return how many bytes of the body were read."""
        return 0

    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        for name, value in self._endings().items():
            response[name] = value
        passing = None
        if response.streaming:
            response.streaming_content = passing = Passing(response.streaming_content)
        # Django runs these with the response's close, also when the caller leaves in the middle.
        response._resource_closers += [*self.on_close, lambda: calls.tell(self._finished(response, passing))]  # noqa: SLF001
        return response

    def _endings(self) -> dict[str, str]:
        key = self._key()
        # A session of staff stands there too, and ends by no date.
        is_key = isinstance(key, ApiKey)
        return sunsets.headers(key.expires_at, key.replaced_at, timezone.now()) if is_key else {}

    def _key(self) -> Any:
        # DRF leaves it there once it has authenticated; its own property would authenticate now.
        return getattr(self._received_request, "auth", None)

    def _finished(self, response: HttpResponseBase, passing: "Passing | None") -> calls.FinishedCall:
        key, request = self._key(), self._received_request
        return calls.FinishedCall(
            service=key.service.service_id if key else "",
            key=key.public_id if key else "",
            traffic=self.traffic,
            method=request.method or "",
            status=response.status_code,
            reason=(passing.reason if passing else "") or getattr(response, "reason", ""),
            bytes_in=self.received(),
            bytes_out=_sent(request, response, passing),
            seconds=time.perf_counter() - self._began_at,
            agent=Fields(request.META).get("User-Agent", ""),
        )


def _sent(request: HttpRequest, response: HttpResponseBase, passing: "Passing | None") -> int:
    if request.method == "HEAD":
        # Its reply has no body on the wire, whatever the response holds.
        return 0
    return passing.size if passing else len(getattr(response, "content", b""))


class Passing:
    """Pieces of a reply on their way out: the bytes that were taken, and the reason of what broke them off."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = pieces
        self.size, self.reason = 0, ""

    def __iter__(self) -> Iterator[bytes]:
        try:
            for piece in self._pieces:
                yield piece
                # The server comes back for the next one only when this one is sent.
                self.size += len(piece)
        except Exception as error:
            self.reason = getattr(error, "reason", "INTERNAL")
            raise
