"""What may be written of services and keys: the rules that actions keep and forms tell early; writes nothing."""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from apikeys import addresses, conf
from apikeys.redaction import redact_keys

if TYPE_CHECKING:
    from apikeys.models import ApiKey

# MLflow's own rule (store/workspace/abstract_store).
WORKSPACE_PATTERN = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
MINIMUM_RATE = 10
MAXIMUM_RATE = 1_000_000
MAXIMUM_REASON_LENGTH = 500


class ActionRefusedError(Exception):
    """The change is against a rule; nothing was written. The message is for the person who asked."""


class AlreadyRevokedError(ActionRefusedError):
    """The key is already revoked: that is final and cannot be repeated, rotated or undone."""


class AlreadyRotatedError(ActionRefusedError):
    """The key has a successor: rotate that one."""


class AlreadyIssuedError(ActionRefusedError):
    """The same form or request came before and made ``key``, whose secret was shown then."""

    def __init__(self, key: "ApiKey") -> None:
        super().__init__(f"this was sent before and issued key {key}, whose secret was shown then and never again")
        self.key = key


def refuse_bad_workspaces(names: Iterable[str]) -> None:
    """Raise ActionRefusedError for what cannot be a workspace's name."""
    if bad := [name for name in names if re.fullmatch(WORKSPACE_PATTERN, name) is None]:
        raise ActionRefusedError(f"{bad[0]!r} is no workspace name: use 1 to 63 of a-z, 0-9 and hyphen inside")


def refuse_days(days: int | None) -> None:
    """Raise ActionRefusedError for a lifetime outside policy; None is left to the policy."""
    if days is not None and not 1 <= days <= conf.maximum_days():
        raise ActionRefusedError(f"a key lives 1 to {conf.maximum_days()} days, not {days}")


def refuse_rate(rate: int | None) -> None:
    """Raise ActionRefusedError for a rate, in calls an hour, that no key may have; None is left to the policy."""
    if rate is not None and not MINIMUM_RATE <= rate <= MAXIMUM_RATE:
        raise ActionRefusedError(f"a key makes {MINIMUM_RATE} to {MAXIMUM_RATE} calls an hour, not {rate}")


def environment(word: str) -> str:
    """Return ``live``, ``test`` or ``dev`` for either spelling; raises ActionRefusedError for another word."""
    try:
        return conf.key_environment(word)
    except ValueError as error:
        raise ActionRefusedError(str(error)) from None


def networks(texts: Iterable[str]) -> list[str]:
    """Return networks in their canonical spelling; raises ActionRefusedError for what is none."""
    found = []
    for text in texts:
        try:
            found.append(addresses.parse_network(text))
        except ValueError:
            raise ActionRefusedError(f"{text!r} is no address or network like 192.0.2.0/24 or 2001:db8::/32") from None
    return found


def refuse_secret(text: str) -> None:
    """Raise ActionRefusedError for a text that holds a key."""
    if redact_keys(text) != text:
        raise ActionRefusedError("the text holds an API key: secrets are never stored, so leave it out")


def reason(text: str) -> str:
    """Return a reason without space around it; raises ActionRefusedError for none, a long one, one with a key."""
    refuse_secret(text)
    if not text.strip():
        raise ActionRefusedError("give a reason: the audit trail keeps it")
    if len(text.strip()) > MAXIMUM_REASON_LENGTH:
        raise ActionRefusedError(f"the reason is longer than {MAXIMUM_REASON_LENGTH} characters")
    return text.strip()
