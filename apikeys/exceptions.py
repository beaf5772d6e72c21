"""What the desks of identity and pace raise in common; maps nothing."""

from rest_framework.exceptions import APIException


class PaceError(APIException):
    """429; ``wait`` is what to tell the caller, in whole seconds, and ``facts`` stand beside the sentence."""

    status_code = 429
    reason = "RATE_EXCEEDED"
    wait = 1

    def __init__(self, detail: str, **facts: object) -> None:
        super().__init__(detail)
        self.facts = facts
