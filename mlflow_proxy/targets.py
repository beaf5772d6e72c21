"""Turn a raw request target into a RequestTarget with one meaning, or refuse it; pure, and knows no route.

MLflow and its framework decode a path up to ten times, collapse doubled slashes and read encoded bytes as
structure. Here a target is decoded once; whatever a second reading could change is refused, and what goes upstream
is rendered from the decoded form, so that the portal decides on exactly what MLflow executes.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from urllib.parse import parse_qsl, quote, unquote, urlencode

from mlflow_proxy.artifacts import paths
from mlflow_proxy.exceptions import AmbiguousTargetError

# RFC 3986 §3.3: what may stand unescaped in a path segment beside letters, digits and "-._~".
SEGMENT_SAFE = "!$&'()*+,;=:@"
MAXIMUM_FIELDS = 2000
CREDENTIAL_FIELDS = {"api_key", "access_token"}
# Clients ask for few targets again and again, a training loop for one. Longer ones are as rare as they are large.
REMEMBERED = 512
REMEMBERED_LENGTH = 256


@dataclass(frozen=True)
class RequestTarget:
    """Decoded path segments below the mount, and query fields in their order."""

    segments: tuple[str, ...]
    query: tuple[tuple[str, str], ...] = ()

    def render(self, prefix: str = "") -> str:
        """Return the ASCII request target (RFC 9112 §3.2.1) below ``prefix``, which is empty or like ``/mlflow``."""
        return prefix + self._rendered

    @cached_property
    def _rendered(self) -> str:
        path = "/" + "/".join(quote(segment, safe=SEGMENT_SAFE) for segment in self.segments)
        return f"{path}?{urlencode(self.query)}" if self.query else path


def parse(raw: str, mount: str = "") -> RequestTarget:
    """Return the target below ``mount`` (empty or like ``/api/mlflow``).

    ``raw`` is the request target as received, its bytes read as Latin-1 as WSGI servers do. Raises
    AmbiguousTargetError, whose message names the rule and never repeats the target.
    """
    return _remembered(raw, mount) if len(raw) <= REMEMBERED_LENGTH else _parse(raw, mount)


def _parse(raw: str, mount: str) -> RequestTarget:
    try:
        text = raw.encode("latin-1").decode("utf-8")
    except UnicodeError:
        raise AmbiguousTargetError("The request target is not UTF-8.") from None
    if not text.startswith("/") or "#" in text:
        raise AmbiguousTargetError("The request target must be an absolute path without a fragment.")
    path, _, query = text.partition("?")
    segments = tuple(_decode_segment(segment) for segment in path[1:].split("/"))
    prefix = tuple(mount[1:].split("/")) if mount else ()
    if segments[: len(prefix)] != prefix:
        raise AmbiguousTargetError("The path spells its first segments in a second way.")
    below = segments[len(prefix) :]
    if below == ("",):
        below = ()
    for segment in below:
        paths.refuse_ambiguous_segment(segment)
    return RequestTarget(below, _parse_query(query))


_remembered = lru_cache(maxsize=REMEMBERED)(_parse)


def _decode_segment(segment: str) -> str:
    try:
        return unquote(segment, errors="strict")
    except UnicodeDecodeError:
        raise AmbiguousTargetError("The path is not UTF-8 once decoded.") from None


def _parse_query(query: str) -> tuple[tuple[str, str], ...]:
    try:
        fields = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=MAXIMUM_FIELDS)
    except ValueError:
        raise AmbiguousTargetError(
            f"The query is not UTF-8 or has more than {MAXIMUM_FIELDS} fields.", reason="AMBIGUOUS_QUERY"
        ) from None
    if any(name.lower() in CREDENTIAL_FIELDS for name, _ in fields):
        raise AmbiguousTargetError(
            "A credential never belongs in the query: it ends up in logs. Send it in a header, and replace this one.",
            reason="KEY_IN_QUERY",
        )
    return tuple(fields)
