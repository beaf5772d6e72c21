"""Give the query and the JSON of a call one meaning, or refuse them; pure, and decides no right.

MLflow takes the first of two query fields and the last of two JSON keys, reads ``run_uuid`` for ``run_id``, camelCase
for snake_case, UTF-16 for UTF-8, and a JSON text inside a JSON string. What it and the portal could read differently
does not pass.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from mlflow_proxy import workspaces
from mlflow_proxy.artifacts import paths
from mlflow_proxy.exceptions import AmbiguousTargetError, BodyRefusedError, LocationRefusedError
from mlflow_proxy.routes import Route
from mlflow_proxy.targets import RequestTarget

# The fields of MLflow's messages that repeat; the contract test compares them with the installed server's.
REPEATABLE = frozenset({"order_by", "experiment_ids", "run_ids", "trace_ids", "stages"})
PATH_FIELDS = frozenset({"path", "artifact_file_path", "artifact_directory_path"})
MAXIMUM_NESTING = 64
TRACE_LOCATION_TAG = "mlflow.artifactLocation"
# MLflow refuses it where a tag is set, but not where a trace or its spans come in.
TRACE_ARCHIVE_TAG = "mlflow.trace.archiveLocation"
# OTLP attributes of a root span that become tags of the trace (store/tracking/sqlalchemy_store, log_spans).
TRACE_TAG_ATTRIBUTE = "mlflow.traceTag."
_HUMP = re.compile(r"(?<=[a-z0-9])[A-Z]")


def check_target(target: RequestTarget, route: Route, workspace: str | None) -> None:
    """Raise what check_query raises, and LocationRefusedError for an artifact write or delete that is too shallow."""
    check_query(target.query, route)
    if route.resource == "artifact":
        below = target.segments[route.fixed_length :]
        paths.refuse_ambiguous_path("/".join(below))
        for path in (below, *listed(target.query)):
            workspaces.refuse_foreign_prefix(path, workspace)
        if route.method in {"PUT", "DELETE"}:
            paths.refuse_shallow(below)


def listed(query: tuple[tuple[str, str], ...]) -> Iterator[tuple[str, ...]]:
    """Yield the segments of each path that the query names."""
    for name, value in query:
        if name in PATH_FIELDS:
            yield tuple(paths.fully_decoded(value).split("/"))


def check_query(query: tuple[tuple[str, str], ...], route: Route) -> None:
    """Raise AmbiguousTargetError for a repeated single field, two runs under two names, or an ambiguous path."""
    fields = dict(query)
    if len(fields) < len(query):
        _refuse_repeated(query, route)
    if "run_id" in fields and fields.get("run_uuid", fields["run_id"]) != fields["run_id"]:
        raise AmbiguousTargetError("run_id and run_uuid name different runs.", reason="AMBIGUOUS_QUERY")
    for name, value in query:
        if name in PATH_FIELDS:
            paths.refuse_ambiguous_path(paths.fully_decoded(value).removesuffix("/"))


def _refuse_repeated(query: tuple[tuple[str, str], ...], route: Route) -> None:
    repeatable = REPEATABLE | ({"run_id"} if route.template.endswith("metrics/get-history-bulk") else frozenset())
    names = Counter(name for name, _ in query)
    if repeated := sorted(name for name, count in names.items() if count > 1 and name not in repeatable):
        raise AmbiguousTargetError(f"The query repeats {', '.join(repeated)}.", reason="AMBIGUOUS_QUERY")


def parse_json(raw: bytes) -> dict[str, Any]:
    """Return the JSON object of a body.

    Raises BodyRefusedError for anything that is not exactly one object in UTF-8, repeats a key, or nests deeper than
    MAXIMUM_NESTING.
    """
    try:
        document = json.loads(raw.decode("utf-8"), object_pairs_hook=_object)
    except (ValueError, RecursionError):
        raise BodyRefusedError("The body is not JSON in UTF-8, or repeats a key.") from None
    if not isinstance(document, dict):
        raise BodyRefusedError("The body must be a JSON object.")
    if _depth(document) > MAXIMUM_NESTING:
        raise BodyRefusedError(f"The body nests deeper than {MAXIMUM_NESTING} levels.")
    return document


def check_document(document: dict[str, Any], route: Route, workspace: str | None = None) -> None:
    """Raise LocationRefusedError where a call would point MLflow at a store outside of what the portal serves.

    Raises AmbiguousTargetError where it points into a workspace other than the one acted in: MLflow looks at the
    workspace of a path, but not of what a tag or a source names.
    """
    fields = {_snake(name): value for name, value in document.items()}
    if len(fields) != len(document):
        raise BodyRefusedError("The body names a field twice, in snake_case and camelCase.")
    if "run_id" in fields and fields.get("run_uuid", fields["run_id"]) != fields["run_id"]:
        raise BodyRefusedError("run_id and run_uuid name different runs.")
    if route.template.endswith("experiments/create"):
        _check_location(_text(fields.get("artifact_location")), workspace)
    elif route.template.endswith("model-versions/create"):
        source = _text(fields.get("source"))
        paths.refuse_foreign_source(source)
        _check_workspace(source, workspace)
    elif route.resource == "workspace":
        _check_workspace_root(fields)
    elif route.resource == "trace" and route.method != "GET":
        # The tag says where get-trace-artifact reads: MLflow sets it, nobody else.
        for name, location in _trace_locations(document):
            if name == TRACE_ARCHIVE_TAG:
                raise LocationRefusedError(f"{name} is MLflow's own to set.")
            _check_location(location, workspace)
            if location:
                # Of all locations MLflow opens this one from the store's root, without its workspace.
                workspaces.refuse_unrooted(_below_root(location), workspace)


def _check_workspace_root(fields: dict[str, Any]) -> None:
    archive = fields.get("trace_archival_config")
    if fields.get("default_artifact_root") or (isinstance(archive, dict) and archive.get("location")):
        raise LocationRefusedError(
            "A workspace keeps its artifacts and traces where MLflow lays them out: leave default_artifact_root and "
            "trace_archival_config.location out."
        )


def _check_location(location: str, workspace: str | None) -> None:
    paths.refuse_foreign_location(location)
    _check_workspace(location, workspace)


def _check_workspace(uri: str, workspace: str | None) -> None:
    if uri.startswith(paths.SERVED_SCHEME):
        workspaces.refuse_foreign_prefix(_below_root(uri), workspace)


def _below_root(uri: str) -> tuple[str, ...]:
    return tuple(uri.removeprefix(paths.SERVED_SCHEME).split("/"))


def check_spans(plain: bytes, kind: str) -> None:
    """Raise LocationRefusedError for OTLP that would set a tag of MLflow's own; ``kind`` is the Content-Type."""
    if kind.partition(";")[0].strip() == "application/json":
        # Spelled anew without escapes, so that the words are found; a text in protobuf stands as it is.
        plain = json.dumps(parse_json(plain), ensure_ascii=False).encode(errors="surrogatepass")
    for tag in (TRACE_LOCATION_TAG, TRACE_ARCHIVE_TAG):
        if f"{TRACE_TAG_ATTRIBUTE}{tag}".encode() in plain:
            raise LocationRefusedError(f"A span may not set {tag}: MLflow reads the trace from there.")


def _trace_locations(node: Any) -> list[tuple[str, str]]:
    if isinstance(node, list):
        return [found for item in node for found in _trace_locations(item)]
    if not isinstance(node, dict):
        return []
    words = (TRACE_LOCATION_TAG, TRACE_ARCHIVE_TAG)
    found = [(name, _text(value)) for name, value in node.items() if name in words]
    if node.get("key") in words:
        found.append((node["key"], _text(node.get("value"))))
    return found + [inner for value in node.values() for inner in _trace_locations(value)]


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("repeated key")
    return document


def _depth(document: Any) -> int:
    deepest, stack = 0, [(document, 1)]
    while stack:
        node, depth = stack.pop()
        if isinstance(node, dict | list):
            deepest = max(deepest, depth)
            stack += [(item, depth + 1) for item in (node.values() if isinstance(node, dict) else node)]
    return deepest


def _snake(name: str) -> str:
    return _HUMP.sub(lambda hump: f"_{hump.group().lower()}", name)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise BodyRefusedError("A location must be a string.")
    return value
