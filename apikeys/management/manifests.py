"""The file of services: what it may say, how it is written and read; compares nothing and writes no row.

YAML with ``version`` and ``services``, by service id. It holds settings: no key, no secret, and no pause, which an
import could otherwise end in the middle of an incident.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from apikeys.models import Service

VERSION = 1
FIELDS: Mapping[str, tuple[type, ...]] = {
    "description": (str,),
    "owner": (str,),
    "contact": (str,),
    "default_scopes": (list,),
    "default_days": (int, type(None)),
    "default_rate_limit_per_hour": (int, type(None)),
    "workspaces": (list,),
    "presigned_urls": (bool,),
}
HEADER = "# Services of Hokusai Portal, by manage.py export_config. No key and no secret is in here.\n"

Manifest = dict[str, dict[str, Any]]


class ManifestRefusedError(ValueError):
    """The file does not say one thing, or says what is not known here; the message names the place."""


class _Loader(yaml.SafeLoader):
    """Reads plain data; a name that comes twice in a mapping is refused instead of overwritten."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        names = [name.value for name, _ in node.value if isinstance(name, yaml.ScalarNode)]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ManifestRefusedError(f"line {node.start_mark.line + 1} names {', '.join(repeated)} twice")
        return dict(super().construct_mapping(node, deep=deep))


def of(services: Iterable[Service]) -> Manifest:
    """Return what a file says of services, by their ids."""
    return {service.service_id: {name: getattr(service, name) for name in FIELDS} for service in services}


def render(manifest: Manifest) -> str:
    """Return the file; the same services make the same bytes."""
    document = {"version": VERSION, "services": manifest}
    return HEADER + yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120)


def parse(text: str) -> Manifest:
    """Return what a file says, by service id; a field left out stays as it is. Raises ManifestRefusedError."""
    try:
        # A subclass of the safe loader: it makes no objects.
        document = yaml.load(text, Loader=_Loader)  # noqa: S506
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise ManifestRefusedError(f"no YAML at line {mark.line + 1 if mark else 1}") from None
    except RecursionError:
        raise ManifestRefusedError("it nests too deep") from None
    _refuse_unknown("the file", _mapping("the file", document), {"version", "services"})
    if document.get("version") != VERSION or isinstance(document["version"], bool):
        raise ManifestRefusedError(f"version must be {VERSION}")
    services = _mapping("services", document.get("services"))
    return {_checked_id(name): _checked(name, facts) for name, facts in services.items()}


def _checked_id(name: Any) -> str:
    if not isinstance(name, str):
        raise ManifestRefusedError(f"the service id {name!r} is no text: put it in quotes")
    return name


def _checked(name: str, asked: Any) -> dict[str, Any]:
    facts = _mapping(f"service {name}", {} if asked is None else asked)
    _refuse_unknown(f"service {name}", facts, set(FIELDS))
    for field, fact in facts.items():
        # A bool is an int to Python and to nobody else.
        if not isinstance(fact, FIELDS[field]) or (isinstance(fact, bool) and bool not in FIELDS[field]):
            words = " or ".join(_WORDS[kind] for kind in FIELDS[field])
            raise ManifestRefusedError(f"{field} of service {name} must be {words}")
        if isinstance(fact, list) and not all(isinstance(word, str) for word in fact):
            raise ManifestRefusedError(f"{field} of service {name} must be a list of texts")
    return facts


_WORDS: Mapping[type, str] = {
    str: "a text",
    list: "a list of texts",
    int: "a whole number",
    bool: "true or false",
    type(None): "null",
}


def _mapping(what: str, found: Any) -> dict[Any, Any]:
    if not isinstance(found, dict):
        raise ManifestRefusedError(f"{what} must be names with values")
    return found


def _refuse_unknown(what: str, found: Mapping[Any, Any], known: set[str]) -> None:
    if unknown := sorted(str(name) for name in found if name not in known):
        raise ManifestRefusedError(
            f"{what} has unknown fields: {', '.join(unknown)}. Known: {', '.join(sorted(known))}"
        )
