"""What a bucket's policy and lifecycle rules mean for the objects below one prefix; pure, and asks nobody."""

import re
from collections.abc import Iterable, Mapping
from typing import Any


def denies_plain_http(policy: Mapping[str, Any], bucket: str, prefix: str) -> bool:
    """Return whether some statement denies everybody every action on the objects when a request comes without TLS."""
    return any(
        statement.get("Effect") == "Deny"
        and _is_everybody(statement.get("Principal"))
        and bool({"*", "s3:*"} & set(_words(statement.get("Action"))))
        and _is_for_plain_http_alone(statement.get("Condition"))
        and any(
            _covers(pattern, f"{bucket}/{prefix}/x".replace("//", "/")) for pattern in _words(statement["Resource"])
        )
        for statement in _listed(policy.get("Statement"))
        if "Resource" in statement
    )


def days_until_uploads_end(rules: Iterable[Mapping[str, Any]], prefix: str) -> int | None:
    """Return after how many days the rules end an incomplete upload below the prefix, None where none does."""
    days = [
        int(rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"])
        for rule in rules
        if rule.get("Status") == "Enabled"
        and "DaysAfterInitiation" in rule.get("AbortIncompleteMultipartUpload", {})
        and f"{prefix}/".startswith(_prefix_of(rule))
    ]
    return min(days, default=None)


def days_until_versions_end(rules: Iterable[Mapping[str, Any]], beginning: str) -> int | None:
    """Return after how many days the rules end old versions of all that begins so, None where none does."""
    days = [
        int(rule["NoncurrentVersionExpiration"]["NoncurrentDays"])
        for rule in rules
        if rule.get("Status") == "Enabled"
        and "NoncurrentDays" in rule.get("NoncurrentVersionExpiration", {})
        and beginning.startswith(_prefix_of(rule))
    ]
    return min(days, default=None)


def _prefix_of(rule: Mapping[str, Any]) -> str:
    chosen = rule.get("Filter", rule)
    prefix: str = chosen.get("And", chosen).get("Prefix", "")
    return prefix


def _is_everybody(principal: Any) -> bool:
    return principal == "*" or (isinstance(principal, Mapping) and "*" in _words(principal.get("AWS")))


def _is_for_plain_http_alone(condition: Any) -> bool:
    """Whether the condition is no TLS, and nothing that would narrow it."""
    if not isinstance(condition, Mapping) or set(condition) != {"Bool"} or len(condition["Bool"]) != 1:
        return False
    ((key, value),) = condition["Bool"].items()
    return key.lower() == "aws:securetransport" and [str(word).lower() for word in _listed(value)] == ["false"]


def _covers(pattern: str, resource: str) -> bool:
    """Whether an ARN with wildcards names ``bucket/key``, whatever its partition."""
    written = pattern.partition(":::")[2] or pattern
    return re.fullmatch(re.escape(written).replace(r"\*", ".*").replace(r"\?", "."), resource) is not None


def _words(value: Any) -> list[str]:
    return [word for word in _listed(value) if isinstance(word, str)]


def _listed(value: Any) -> list[Any]:
    """A policy writes one thing alone or several as a list."""
    return value if isinstance(value, list) else [] if value is None else [value]
