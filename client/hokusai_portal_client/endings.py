"""How the command ends: its exit statuses, and the error that carries one; prints nothing."""

from __future__ import annotations

# Those of the portal's own commands, and one more for what may work a moment later.
DONE, FAILED, NOT_BEGUN, REFUSED, UNAVAILABLE = range(5)


class PortalError(Exception):
    """One sentence for the person, and the status to end with.

    ``reason`` is the portal's word, where the portal spoke; ``hint`` is what to do where it did not.
    """

    def __init__(self, sentence: str, status: int, *, reason: str = "", hint: str = "") -> None:
        super().__init__(sentence)
        self.status, self.reason, self.hint = status, reason, hint
