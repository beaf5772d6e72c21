"""DRF's throttles: how often and how much at once a key may call; the counting is apikeys.pacing's."""

import threading
from collections import Counter
from typing import TYPE_CHECKING, Any, cast

from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from apikeys import conf, pacing
from apikeys.exceptions import PaceError

if TYPE_CHECKING:
    from apikeys.models import ApiKey

# Clients wait as long as they are told: a long window is asked for again instead.
MAXIMUM_RETRY_SECONDS = 30


class RateExceededError(PaceError):
    """The key has used up its window."""

    def __init__(self, public_id: str, verdict: pacing.Verdict) -> None:
        seconds = verdict.reset_seconds
        detail = f"Key {public_id} may make {verdict.limit} calls an hour. Its next hour begins in {seconds} s."
        super().__init__(detail, limit=verdict.limit, remaining=0, reset=seconds, api_key=public_id)
        self.wait = min(seconds, MAXIMUM_RETRY_SECONDS)


class ConcurrencyExceededError(PaceError):
    """The key has as many calls open as one worker gives it."""

    reason = "CONCURRENCY_EXCEEDED"

    def __init__(self, public_id: str, limit: int) -> None:
        detail = f"Key {public_id} has {limit} calls open, the most it may. Try again when one has ended."
        super().__init__(detail, limit=limit, api_key=public_id)


class KeyRateThrottle(BaseThrottle):
    """Counts calls per key and its predecessors: rotating a key does not begin a new window."""

    def allow_request(self, request: Request, view: Any) -> bool:
        key = cast("ApiKey", request.auth)
        rate = f"{key.rate_limit_per_hour or conf.rate_limit_per_hour()}/hour"
        verdict = pacing.shared(conf.redis_url()).take(rate, "key", key.lineage)
        view.pace = verdict
        if not verdict.is_within:
            raise RateExceededError(key.public_id, verdict)
        return True


class ConcurrencyThrottle(BaseThrottle):
    """Counts open calls per key in this worker, so that one key's long transfers leave threads to the others."""

    _lock = threading.Lock()
    _open: Counter[str] = Counter()

    def allow_request(self, request: Request, view: Any) -> bool:
        key, limit = cast("ApiKey", request.auth), conf.key_concurrency()
        with self._lock:
            if self._open[key.lineage] >= limit:
                raise ConcurrencyExceededError(key.public_id, limit)
            self._open[key.lineage] += 1
        view.on_close.append(lambda: self._release(key.lineage))
        return True

    @classmethod
    def _release(cls, lineage: str) -> None:
        with cls._lock:
            cls._open[lineage] -= 1
            if cls._open[lineage] <= 0:
                del cls._open[lineage]


def headers(verdict: pacing.Verdict) -> dict[str, str]:
    """Return the rate headers of a reply, in the old words and those of the IETF draft (httpapi-ratelimit-headers)."""
    return {
        "X-RateLimit-Limit": str(verdict.limit),
        "X-RateLimit-Remaining": str(verdict.remaining),
        "X-RateLimit-Reset": str(verdict.reset_seconds),
        "RateLimit-Policy": f'"key";q={verdict.limit};w={verdict.window_seconds}',
        "RateLimit": f'"key";r={verdict.remaining};t={verdict.reset_seconds}',
    }
