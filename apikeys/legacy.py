"""The predecessor's words for scopes, and what each becomes; pure, and knows no key.

A word that is a scope today means what it says, whatever it once meant.
"""

from collections.abc import Iterable
from types import MappingProxyType

from apikeys import scopes

_READER = scopes.PRESETS["reader"]
_CONTRIBUTOR = scopes.PRESETS["contributor"]
_EVERYTHING = (*_CONTRIBUTOR, "mlflow:delete", "model:delete", "artifact:delete")

MEANINGS = MappingProxyType(
    {
        **dict.fromkeys(("models:read", "read"), _READER),
        **dict.fromkeys(("models:write", "mlflow:access", "write"), _CONTRIBUTOR),
        "models:delete": ("model:delete",),
        **dict.fromkeys(("registry:admin", "model-registry:admin"), (*_CONTRIBUTOR, "model:delete")),
        **dict.fromkeys(("admin", "full_access"), _EVERYTHING),
        **dict.fromkeys(("dspy:execute", "analytics:read", "predict", "train"), ()),
    }
)


def expand(words: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return today's scopes for words old and new, sorted, and a sentence about each old one."""
    chosen, sentences = set[str](), []
    for word in words:
        meant = MEANINGS.get(word, (word,))
        chosen |= set(meant)
        if word in MEANINGS:
            now = f"now {', '.join(meant)}" if meant else "not of this portal, and left out"
            sentences.append(f"The scope {word} is {now}.")
    return sorted(chosen), sentences
