"""Signing in to the admin, at a pace that guessing cannot live on; knows no account and learns nothing of one.

Every try counts, before a password is hashed: per name and address with ever longer windows, and per address. The
answer is the same whether or not there is such an account.
"""

import hashlib
from typing import Any

import structlog
from django.contrib.admin.forms import AdminAuthenticationForm
from django.core.exceptions import ValidationError

from apikeys import conf, pacing
from apikeys.authentication import client_address

log = structlog.get_logger(__name__)

# Backing off: who goes on after five tries waits for a minute, then a quarter of an hour, then an hour.
RATES_PER_NAME = ("5/minute", "10/15 minutes", "20/hour")
RATE_PER_ADDRESS = "60/minute"


class PacedAuthenticationForm(AdminAuthenticationForm):
    """Django's form; ``wait_seconds`` says how long to wait where a try came too early, else None."""

    wait_seconds: int | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, label_suffix="", **kwargs)

    def clean(self) -> dict[str, Any]:
        address = (client_address(self.request) if self.request else None) or ""
        self.wait_seconds = seconds_to_wait(self.cleaned_data.get("username", ""), address)
        if self.wait_seconds is not None:
            log.warning("staff_sign_in_paced", address=address, wait=self.wait_seconds)
            raise ValidationError(f"Too many tries. Wait {_in_words(self.wait_seconds)}, then try again.", code="paced")
        return super().clean()


def seconds_to_wait(name: str, address: str) -> int | None:
    """Count one try to sign in; return how long to wait when it came too early, None when it may go on."""
    pace = pacing.shared(conf.redis_url())
    # People type passwords into the wrong field: Redis must not hold them.
    digest = hashlib.sha256(name.strip().casefold().encode()).hexdigest()
    for rate, *names in (
        (RATE_PER_ADDRESS, "sign-in", address),
        *((rate, "sign-in", digest, address) for rate in RATES_PER_NAME),
    ):
        verdict = pace.take(rate, *names)
        if not verdict.is_within:
            return verdict.reset_seconds
    return None


def _in_words(seconds: int) -> str:
    return f"{seconds} seconds" if seconds < 90 else f"{-(-seconds // 60)} minutes"
