"""The closed list of scopes, what implies what, and the presets; knows words only, never a request or a row."""

from collections.abc import Iterable
from types import MappingProxyType

DESCRIPTIONS = MappingProxyType(
    {
        "mlflow:read": "see experiments, runs, metrics, traces and logged models",
        "mlflow:write": "create and change experiments, runs, metrics, traces and logged models",
        "mlflow:delete": "delete and restore experiments, runs and traces",
        "mlflow:admin": "manage workspaces",
        "model:read": "see registered models and versions",
        "model:write": "register models and versions, describe and tag them",
        "model:promote": "set and remove aliases, move versions between stages",
        "model:delete": "delete registered models and versions",
        "artifact:read": "list and download files",
        "artifact:write": "upload files",
        "artifact:delete": "delete files",
        "key:read": "see the keys of the own service",
        "key:write": "issue, rotate and revoke keys of the own service",
        "storage:read": "see the health of artifact storage in detail, and read the metrics",
        "audit:read": "read the audit trail",
    }
)
ALL = frozenset(DESCRIPTIONS)
# What a key of one service can do to others with these: see their events, move their workspaces.
BEYOND_ONE_SERVICE = frozenset({"mlflow:admin", "audit:read"})
# What reaches every service when a key of the default one holds it: the REST API takes such a key for an operator's.
OF_OPERATORS = frozenset({"key:read", "key:write"})

PRESETS = MappingProxyType(
    {
        "reader": ("mlflow:read", "model:read", "artifact:read"),
        "contributor": ("mlflow:write", "model:write", "artifact:write"),
        "registrar": ("mlflow:write", "model:write", "model:promote", "model:delete", "artifact:write"),
        "operator": (
            *("mlflow:write", "mlflow:delete", "model:write", "model:promote", "model:delete"),
            *("artifact:write", "artifact:delete"),
            *("key:write", "storage:read", "audit:read"),
        ),
    }
)
PRESET_DESCRIPTIONS = MappingProxyType(
    {
        "reader": "look at runs and models, download files",
        "contributor": "train: log runs, register models, upload files",
        "registrar": "contributor, and promote and delete models",
        "operator": "registrar, and delete runs and files, manage its keys, read the audit trail",
    }
)


class UnknownScopeError(ValueError):
    """A word that is not a scope; the message names it and the words that are."""


def normalise(words: Iterable[str]) -> list[str]:
    """Return the words sorted and without repeats.

    Raises UnknownScopeError for a word outside the list, and for no word at all: no scope means no right.
    """
    chosen = sorted(set(words))
    if unknown := [word for word in chosen if word not in ALL]:
        raise UnknownScopeError(f"unknown scope {', '.join(unknown)}; known are {', '.join(DESCRIPTIONS)}")
    if not chosen:
        raise UnknownScopeError(f"a key needs at least one scope; known are {', '.join(DESCRIPTIONS)}")
    return chosen


def preset_of(words: Iterable[str]) -> str:
    """Return the preset that holds exactly these words, or an empty text."""
    held = set(words)
    return next((name for name, members in PRESETS.items() if held == set(members)), "")


def implied_by(word: str) -> frozenset[str]:
    """Return the scopes that holding ``word`` grants: itself, and its family's ``read`` when it is a ``write``."""
    family, _, verb = word.partition(":")
    return frozenset({word, f"{family}:read"} & ALL) if verb == "write" else frozenset({word} & ALL)


def grants(held: Iterable[str], required: str) -> bool:
    """Return whether the held scopes include the required one, directly or by implication."""
    return any(required in implied_by(word) for word in held)
