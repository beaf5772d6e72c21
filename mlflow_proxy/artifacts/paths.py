"""What a path or URI of an artifact may be; pure: judges text, and has never seen a store.

MLflow percent-decodes artifact paths up to ten times and takes any store that a location names. Here a path has one
reading, a location stays inside what the portal serves, and a write or delete names something below one run, logged
model or trace.
"""

import re
import unicodedata
from urllib.parse import unquote, urlparse, urlunparse

from mlflow_proxy.exceptions import AmbiguousTargetError, LocationRefusedError

LEFTOVER_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")
# mlflow/utils/uri.py, validate_path_is_safe.
MAXIMUM_DECODINGS = 10
SERVED_SCHEME = "mlflow-artifacts:/"
SOURCE_SCHEMES = ("runs:/", "models:/", SERVED_SCHEME)
# What MLflow's own client writes where a prompt has no file (mlflow/prompt/registry_utils).
PROMPT_SOURCES = {"prompt-template", "dummy-source"}
DEPTH_RULE = (
    "A write or delete needs the full path: <experiment>/<run>/artifacts/<name>, "
    "<experiment>/models/<model>/artifacts/<name> or <experiment>/traces/<trace>/artifacts/<name>."
)


def refuse_ambiguous_segment(segment: str) -> None:
    """Raise AmbiguousTargetError for a decoded segment that a second reading could change; never repeats it."""
    if segment == "":
        raise AmbiguousTargetError("The path has an empty segment: a doubled or trailing slash.")
    if segment in {".", ".."}:
        raise AmbiguousTargetError("The path has a dot segment.")
    if "/" in segment or "\\" in segment:
        raise AmbiguousTargetError("The path has an encoded slash or a backslash inside a name.")
    if LEFTOVER_ESCAPE.search(segment):
        raise AmbiguousTargetError("The path is still percent-encoded after one decoding.")
    if any(unicodedata.category(character) == "Cc" for character in segment):
        raise AmbiguousTargetError("The path has a control character.")


def fully_decoded(path: str) -> str:
    """Return a query's path as MLflow ends up with: it decodes again until nothing changes, ten times at most."""
    for _ in range(MAXIMUM_DECODINGS):
        path, before = unquote(path), path
        if path == before:
            break
    return path


def refuse_ambiguous_path(path: str) -> None:
    """Raise AmbiguousTargetError for a relative path with more than one reading; empty is the root."""
    for segment in path.split("/") if path else ():
        refuse_ambiguous_segment(segment)
    # MLflow parses a path as a URL and opens what is left of it (utils/uri.py, validate_path_is_safe).
    parts = urlparse(path)
    if parts.scheme == "file" or urlunparse(parts) != path:
        raise AmbiguousTargetError("The path begins with a space or a scheme, or ends in a semicolon, ? or #.")


def refuse_shallow(segments: tuple[str, ...]) -> None:
    """Raise LocationRefusedError for a path at or above a whole run, logged model, trace, experiment or the root."""
    below = segments[2:] if segments[:1] == ("workspaces",) else segments
    # At least a leading segment and an id before ``artifacts``, and a name after it.
    is_deep = "artifacts" in below[2:-1]
    if not is_deep:
        raise LocationRefusedError(DEPTH_RULE, reason="ARTIFACT_PATH_TOO_SHORT")


def refuse_foreign_location(location: str) -> None:
    """Raise LocationRefusedError unless an experiment's artifact location is empty or inside what the portal serves."""
    if location and not _is_inside(location, (SERVED_SCHEME,)):
        raise LocationRefusedError(
            f"artifact_location must be empty or start with {SERVED_SCHEME} and hold no dot segment, query or fragment."
        )


def refuse_foreign_source(source: str) -> None:
    """Raise LocationRefusedError unless a model version's source is something that the portal serves."""
    if source not in PROMPT_SOURCES and not _is_inside(source, SOURCE_SCHEMES):
        raise LocationRefusedError(
            f"source must start with {', '.join(SOURCE_SCHEMES)} and hold no dot segment, query or fragment. "
            "Other stores would be read with MLflow's own rights."
        )


def _is_inside(uri: str, schemes: tuple[str, ...]) -> bool:
    scheme = next((scheme for scheme in schemes if uri.startswith(scheme)), None)
    if scheme is None or any(character in uri for character in "?#"):
        return False
    path = uri.removeprefix(scheme).removesuffix("/")
    if not path:
        # The root is everybody's: nothing written directly below it would be deep enough.
        return False
    try:
        refuse_ambiguous_path(path)
    except AmbiguousTargetError:
        return False
    return True
