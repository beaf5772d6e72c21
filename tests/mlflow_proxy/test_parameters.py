"""Query and JSON: one meaning, or 400; and no location outside of what the portal serves."""

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlflow_proxy import parameters
from mlflow_proxy.exceptions import AmbiguousTargetError, BodyRefusedError, LocationRefusedError, ProxyError
from mlflow_proxy.routes import Route, find
from mlflow_proxy.targets import RequestTarget, parse

thorough = settings(max_examples=500, deadline=None)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text(max_size=4), JSON, max_size=4)
ARTIFACTS = "api/2.0/mlflow-artifacts/artifacts"


def row(method: str, path: str) -> Route:
    return find(method, tuple(path.split("/")))


RUN = row("GET", "api/2.0/mlflow/runs/get")
EXPERIMENT = row("POST", "api/2.0/mlflow/experiments/create")
VERSION = row("POST", "api/2.0/mlflow/model-versions/create")
TRACE_TAG = row("PATCH", "api/2.0/mlflow/traces/tr-1/tags")
TRACE_END = row("PATCH", "api/2.0/mlflow/traces/tr-1")
TRACE_START = row("POST", "api/3.0/mlflow/traces")
BATCH = row("POST", "api/2.0/mlflow/runs/log-batch")
WORKSPACE = row("PATCH", "api/3.0/mlflow/workspaces/team-a")


def check(method: str, raw: str, workspace: str | None = None) -> None:
    target = parse(f"/{raw}")
    parameters.check_target(target, find(method, target.segments), workspace)


def refusal(call: Any, *arguments: Any) -> ProxyError:
    with pytest.raises(ProxyError) as caught:
        call(*arguments)
    return caught.value


# The query.


@pytest.mark.parametrize(
    "query", ["run_id=a&run_id=b", "run_id=a&run_id=a", "run_id=a&x=1&run_id=", "run%5fid=a&run_id=b"]
)
def test_id_aliases_single_field_twice_in_the_query_is_refused(query: str) -> None:
    error = refusal(parameters.check_query, parse(f"/a?{query}").query, RUN)
    assert (error.status, error.reason) == (400, "AMBIGUOUS_QUERY")


def test_repeated_field_is_named_to_the_caller() -> None:
    assert "run_id" in str(refusal(parameters.check_query, (("run_id", "a"), ("run_id", "b")), RUN))


@pytest.mark.parametrize("name", sorted(parameters.REPEATABLE))
def test_list_field_may_repeat(name: str) -> None:
    parameters.check_query(((name, "a"), (name, "b")), RUN)


def test_bulk_history_takes_several_runs() -> None:
    bulk = row("GET", "ajax-api/2.0/mlflow/metrics/get-history-bulk")
    parameters.check_query((("run_id", "a"), ("run_id", "b"), ("metric_key", "m")), bulk)


@pytest.mark.parametrize(
    "path", ["api/2.0/mlflow/metrics/get-history", "api/2.0/mlflow/metrics/get-history-bulk-interval", "get-artifact"]
)
def test_no_other_route_takes_several_runs(path: str) -> None:
    query = (("run_id", "a"), ("run_id", "b"))
    assert refusal(parameters.check_query, query, row("GET", path)).reason == "AMBIGUOUS_QUERY"


@pytest.mark.parametrize(
    "query", ["run_id=a&run_uuid=b", "run_uuid=b&run_id=a", "run_id=&run_uuid=b", "run_id=a&run_uuid="]
)
def test_id_aliases_two_runs_under_two_names_are_refused(query: str) -> None:
    assert refusal(parameters.check_query, parse(f"/a?{query}").query, RUN).reason == "AMBIGUOUS_QUERY"


@pytest.mark.parametrize("query", ["run_id=a&run_uuid=a", "run_id=a", "run_uuid=a", ""])
def test_id_aliases_one_run_under_any_name_passes(query: str) -> None:
    parameters.check_query(parse(f"/a?{query}").query, RUN)


@pytest.mark.parametrize("name", sorted(parameters.PATH_FIELDS))
@pytest.mark.parametrize(
    "path",
    ["../x", "a/../b", "/etc/passwd", "a//b", "%2e%2e/x", "%252e%252e", ".", "a\\b", "a%0Ab", "a%00"],
)
def test_artifact_path_spellings_in_the_query_are_refused(name: str, path: str) -> None:
    error = refusal(parameters.check_query, parse(f"/a?{name}={path}").query, RUN)
    assert (error.status, error.reason) == (400, "AMBIGUOUS_PATH")


@pytest.mark.parametrize("path", ["", "a", "a/", "a/b/c.txt", "100%25.txt", "a%20b", "%C3%BC", "..a"])
def test_clear_path_in_the_query_passes(path: str) -> None:
    parameters.check_query(parse(f"/a?path={path}").query, RUN)


def test_artifact_path_spellings_directory_of_a_logged_model_is_a_path_too() -> None:
    path = "api/2.0/mlflow/logged-models/m-1/artifacts/directories"
    query = (("artifact_directory_path", "../x"),)
    assert refusal(parameters.check_query, query, row("GET", path)).status == 400


@thorough
@given(
    st.lists(
        st.tuples(st.sampled_from(["run_id", "path", "order_by", "x"]), st.sampled_from(["a", "b", ".."])), max_size=5
    )
)
def test_query_that_passes_reads_the_same_from_either_end(query: list[tuple[str, str]]) -> None:
    try:
        parameters.check_query(tuple(query), RUN)
    except AmbiguousTargetError:
        return
    single = [field for field in query if field[0] != "order_by"]
    assert dict(single) == dict(reversed(single))


# The depth of writes, and workspaces in paths.


@pytest.mark.parametrize("path", ["0", "0/r", "0/r/artifacts", "0/models/m-1/artifacts", "0/traces/tr-1"])
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_artifact_root_delete_shallow_write_is_refused(method: str, path: str) -> None:
    assert refusal(check, method, f"{ARTIFACTS}/{path}").reason == "ARTIFACT_PATH_TOO_SHORT"


@pytest.mark.parametrize("path", ["", "/0", "/0/r/artifacts", "?path=0", "?path="])
def test_reading_above_a_run_is_allowed(path: str) -> None:
    check("GET", f"{ARTIFACTS}{path}")


@pytest.mark.parametrize("workspace", [None, "team-a"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/workspaces/other/0/r/artifacts/a"),
        ("GET", "?path=workspaces/other"),
        ("GET", "?path=workspaces"),
        ("GET", "/workspaces"),
        ("PUT", "/workspaces/other/0/r/artifacts/a"),
        ("DELETE", "/workspaces/other/0/r/artifacts/a"),
    ],
)
def test_artifact_path_of_another_workspace_is_refused(method: str, path: str, workspace: str | None) -> None:
    assert refusal(check, method, f"{ARTIFACTS}{path}", workspace).status == 400


@pytest.mark.parametrize(("workspace", "name"), [(None, "default"), ("team-a", "team-a")])
@pytest.mark.parametrize("path", ["/workspaces/{}/0/r/artifacts/a", "?path=workspaces/{}", "?path=workspaces/{}/"])
def test_artifact_path_of_the_own_workspace_passes(path: str, workspace: str | None, name: str) -> None:
    check("GET", f"{ARTIFACTS}{path.format(name)}", workspace)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "/0/r/artifacts/%3F"),
        ("DELETE", "/0/r/artifacts/%3B"),
        ("DELETE", "/0/r/artifacts/%23"),
        ("GET", "/%20workspaces/other/0/r/artifacts/a"),
        ("GET", "/file:workspaces/other/0/r/artifacts/a"),
        ("GET", "?path=%20workspaces/other"),
    ],
)
def test_artifact_path_that_mlflow_shortens_is_refused(method: str, path: str) -> None:
    assert refusal(check, method, f"{ARTIFACTS}{path}").status == 400


# The JSON.


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b" ",
        b"null",
        b"1",
        b'"x"',
        b"[]",
        b'[{"a":1}]',
        b'"{\\"run_id\\": \\"a\\"}"',
        b'{"a":1}{"b":2}',
        b'{"a":1} x',
        b"{'a':1}",
        b"a=1",
        b'{"a":1,}',
        b'{"run_id":"a","run_id":"b"}',
        b'{"run_id":"a","run_id":"a"}',
        b'{"run_id":"a","run\\u005fid":"b"}',
        b'{"a":{"b":1,"b":2}}',
        b'{"a":[{"b":1,"b":2}]}',
        b'\xef\xbb\xbf{"a":1}',
        '{"a":1}'.encode("utf-16"),
        '{"a":1}'.encode("utf-16-le"),
        '{"a":1}'.encode("utf-32"),
        b'{"a":"\xff"}',
        b"\x00",
        b"\x1f\x8b\x08",
    ],
)
def test_body_that_is_not_one_clear_object_is_refused(raw: bytes) -> None:
    error = refusal(parameters.parse_json, raw)
    assert (error.status, error.reason) == (400, "BODY_REFUSED")


@pytest.mark.parametrize("shape", ['{"a":%s}', '{"a":%s,"b":1}'])
@pytest.mark.parametrize("brackets", ["[]", "{}"])
def test_nesting_of_64_passes(shape: str, brackets: str) -> None:
    parameters.parse_json((shape % nested(63, brackets)).encode())


@pytest.mark.parametrize("brackets", ["[]", "{}"])
@pytest.mark.parametrize("depth", [64, 200, 100_000])
def test_nesting_beyond_64_is_refused(depth: int, brackets: str) -> None:
    assert refusal(parameters.parse_json, f'{{"a":{nested(depth, brackets)}}}'.encode()).status == 400


def nested(depth: int, brackets: str) -> str:
    if brackets == "[]":
        return "[" * depth + "]" * depth
    return '{"a":' * (depth - 1) + "{}" + "}" * (depth - 1)


@thorough
@given(OBJECTS)
def test_any_object_is_read_as_it_was_written(document: dict[str, Any]) -> None:
    assert parameters.parse_json(json.dumps(document).encode()) == document


@thorough
@given(st.binary(max_size=40) | st.text('{}[]":,1au\\ ', max_size=20).map(str.encode))
def test_any_bytes_are_an_object_or_refused(raw: bytes) -> None:
    try:
        assert isinstance(parameters.parse_json(raw), dict)
    except BodyRefusedError:
        return


@pytest.mark.parametrize(
    "document",
    [{"run_id": "a", "runId": "a"}, {"artifact_location": "", "artifactLocation": "s3://x"}, {"a_b": 1, "aB": 2}],
)
def test_id_aliases_field_in_both_spellings_is_refused(document: dict[str, Any]) -> None:
    assert refusal(parameters.check_document, document, BATCH).reason == "BODY_REFUSED"


@pytest.mark.parametrize(
    "document", [{"run_id": "a", "run_uuid": "b"}, {"runId": "a", "run_uuid": "b"}, {"runId": "a", "runUuid": "b"}]
)
def test_id_aliases_two_runs_in_the_body_are_refused(document: dict[str, Any]) -> None:
    assert refusal(parameters.check_document, document, BATCH).reason == "BODY_REFUSED"


@pytest.mark.parametrize("document", [{"run_id": "a", "run_uuid": "a"}, {"run_uuid": "a"}, {"run_id": "a"}, {}])
def test_id_aliases_one_run_in_the_body_passes(document: dict[str, Any]) -> None:
    parameters.check_document(document, BATCH)


# Locations.


@pytest.mark.parametrize("field", ["artifact_location", "artifactLocation"])
@pytest.mark.parametrize(
    "location",
    [
        *(
            "s3://other/x",
            "file:///etc",
            "file:",
            "/etc",
            "gs://b/x",
            "dbfs:/",
            "./x",
            "http://h/x",
            "runs:/r/m",
            "models:/m/1",
        ),
        *("mlflow-artifacts://host/x", "mlflow-artifacts:/../x", "mlflow-artifacts:/x?x", "mlflow-artifacts:/x#x"),
        *("mlflow-artifacts:/%2e%2e/x", "MLFLOW-ARTIFACTS:/x", " s3://x", " "),
    ],
)
def test_artifact_location_elsewhere_is_refused(field: str, location: str) -> None:
    error = refusal(parameters.check_document, {"name": "e", field: location}, EXPERIMENT)
    assert (error.status, error.reason) == (400, "LOCATION_REFUSED")


@pytest.mark.parametrize("field", ["artifact_location", "artifactLocation"])
@pytest.mark.parametrize("location", ["", None, "mlflow-artifacts:/models"])
def test_artifact_location_that_the_portal_serves_passes(field: str, location: str | None) -> None:
    parameters.check_document({"name": "e", field: location}, EXPERIMENT)


@pytest.mark.parametrize("location", [["s3://x"], {"a": "s3://x"}, 1, True])
def test_artifact_location_that_is_no_string_is_refused(location: Any) -> None:
    assert refusal(parameters.check_document, {"artifact_location": location}, EXPERIMENT).reason == "BODY_REFUSED"


@pytest.mark.parametrize(
    "source",
    [
        *(
            "s3://finance-backups/dumps",
            "s3://own/prefix#x",
            "gs://b/x",
            "wasbs://c@a/x",
            "dbfs:/x",
            "uc:/x",
            "file:",
            "/etc",
        ),
        *("models:/x/1#", "mlflow-artifacts://host/x", "mlflow-artifacts:/../x", "relative/path", "", None),
    ],
)
def test_model_source_elsewhere_is_refused(source: str | None) -> None:
    error = refusal(parameters.check_document, {"name": "m", "source": source}, VERSION)
    assert (error.status, error.reason) == (400, "LOCATION_REFUSED")


def test_model_source_left_out_is_refused() -> None:
    assert refusal(parameters.check_document, {"name": "m"}, VERSION).reason == "LOCATION_REFUSED"


@pytest.mark.parametrize(
    "source",
    ["runs:/r/model", "models:/m-1", "mlflow-artifacts:/0/models/m-1/artifacts", "prompt-template", "dummy-source"],
)
def test_model_source_that_the_portal_serves_passes(source: str) -> None:
    parameters.check_document({"name": "m", "source": source}, VERSION)


@pytest.mark.parametrize("route", [EXPERIMENT, VERSION], ids=["experiment", "version"])
def test_location_rules_hold_for_both_aliases(route: Route) -> None:
    twin = row(route.method, f"ajax-{route.template}")
    document = {"source": "s3://x", "artifact_location": "s3://x"}
    assert refusal(parameters.check_document, document, twin).reason == "LOCATION_REFUSED"


@pytest.mark.parametrize(
    ("route", "document"),
    [
        (TRACE_TAG, {"key": "mlflow.artifactLocation", "value": "s3://x"}),
        (TRACE_TAG, {"value": "/etc", "key": "mlflow.artifactLocation"}),
        (TRACE_START, {"trace": {"trace_info": {"tags": {"mlflow.artifactLocation": "s3://x"}}}}),
        (TRACE_START, {"trace": {"traceInfo": {"tags": [{"key": "mlflow.artifactLocation", "value": "s3://x"}]}}}),
        (
            row("POST", "api/2.0/mlflow/traces"),
            {"tags": [{"key": "a"}, {"key": "mlflow.artifactLocation", "value": "x"}]},
        ),
        (row("PATCH", "ajax-api/3.0/mlflow/traces/tr-1/tags"), {"key": "mlflow.artifactLocation", "value": "file:/x"}),
    ],
)
def test_artifact_location_of_a_trace_elsewhere_is_refused(route: Route, document: dict[str, Any]) -> None:
    assert refusal(parameters.check_document, document, route).reason == "LOCATION_REFUSED"


@pytest.mark.parametrize("value", ["mlflow-artifacts:/0/traces/tr-1/artifacts", "", None])
def test_artifact_location_of_a_trace_that_the_portal_serves_passes(value: str | None) -> None:
    parameters.check_document({"key": "mlflow.artifactLocation", "value": value}, TRACE_TAG)


def test_other_tags_of_a_trace_are_free_text() -> None:
    parameters.check_document({"key": "note", "value": "s3://x"}, TRACE_TAG)


@pytest.mark.parametrize("words", [("artifact_location", "artifactLocation"), ("run_id", "runId"), ("a1_b", "a1B")])
def test_camel_case_is_read_as_mlflow_reads_it(words: tuple[str, str]) -> None:
    snake, camel = words
    assert re.sub("_(.)", lambda match: match[1].upper(), snake) == camel
    assert parameters._snake(camel) == snake


def test_location_refusal_is_not_about_other_calls() -> None:
    parameters.check_document({"artifact_location": "s3://x", "source": "s3://x"}, BATCH)


def test_target_without_artifacts_needs_no_depth() -> None:
    parameters.check_target(RequestTarget(("version",)), row("GET", "version"), None)


@pytest.mark.parametrize("error", [LocationRefusedError, BodyRefusedError, AmbiguousTargetError])
def test_every_refusal_is_a_400_of_mlflow_s_table(error: type[ProxyError]) -> None:
    assert (error.status, error.error_code) == (400, "INVALID_PARAMETER_VALUE")


@pytest.mark.parametrize(
    ("document", "route"),
    [
        ({"artifact_location": "mlflow-artifacts:/workspaces/other/1"}, EXPERIMENT),
        ({"source": "mlflow-artifacts:/workspaces/other/1/r/artifacts/m"}, VERSION),
        ({"key": "mlflow.artifactLocation", "value": "mlflow-artifacts:/workspaces/other/1/traces/t"}, TRACE_TAG),
    ],
)
def test_document_location_in_another_workspace_is_refused(document: dict[str, str], route: Route) -> None:
    with pytest.raises(AmbiguousTargetError, match="workspace"):
        parameters.check_document(document, route, "team-a")


def test_document_location_in_the_own_workspace_passes() -> None:
    parameters.check_document({"artifact_location": "mlflow-artifacts:/workspaces/team-a/1"}, EXPERIMENT, "team-a")


def test_trace_location_that_names_no_workspace_is_refused_in_one() -> None:
    # From the store's root it is a place of the default workspace, and MLflow would read a trace there.
    document = {"tags": [{"key": "mlflow.artifactLocation", "value": "mlflow-artifacts:/1/traces/tr-1/artifacts"}]}
    error = refusal(parameters.check_document, document, TRACE_END, "team-a")
    assert (error.status, error.reason) == (400, "LOCATION_REFUSED")


@pytest.mark.parametrize(
    ("workspace", "place"),
    [(None, "1"), ("default", "1"), ("default", "workspaces/default/1"), ("team-a", "workspaces/team-a/1")],
)
def test_trace_location_in_the_own_workspace_passes(workspace: str | None, place: str) -> None:
    value = f"mlflow-artifacts:/{place}/traces/tr-1/artifacts"
    parameters.check_document({"key": "mlflow.artifactLocation", "value": value}, TRACE_TAG, workspace)


def test_trace_location_may_be_deleted_in_a_workspace() -> None:
    route = row("DELETE", "api/3.0/mlflow/traces/tr-1/tags")
    parameters.check_document({"key": "mlflow.artifactLocation"}, route, "team-a")


def test_document_location_at_the_root_is_refused() -> None:
    error = refusal(parameters.check_document, {"artifact_location": "mlflow-artifacts:/"}, EXPERIMENT)
    assert error.reason == "LOCATION_REFUSED"


@pytest.mark.parametrize("path", ["1/%2e%2e/2", "1/%252e%252e/2", "1/a%255cb", "%2577orkspaces/%252e"])
def test_path_in_the_query_is_judged_as_mlflow_ends_up_with_it(path: str) -> None:
    with pytest.raises(AmbiguousTargetError):
        parameters.check_query((("path", path),), row("GET", ARTIFACTS))


def test_path_in_the_query_that_decodes_to_a_clear_name_passes() -> None:
    parameters.check_query((("path", "1/run/artifacts/pct%20lit.txt"),), row("GET", ARTIFACTS))


# Workspaces.


@pytest.mark.parametrize(
    "document",
    [
        {"default_artifact_root": "s3://finance-backups"},
        {"defaultArtifactRoot": "file:///etc"},
        {"default_artifact_root": "mlflow-artifacts:/workspaces/other"},
        {"trace_archival_config": {"location": "s3://elsewhere"}},
        {"traceArchivalConfig": {"location": "s3://elsewhere"}},
    ],
)
def test_workspace_that_would_keep_its_artifacts_elsewhere_is_refused(document: dict[str, Any]) -> None:
    error = refusal(parameters.check_document, document, WORKSPACE)
    assert (error.status, error.reason) == (400, "LOCATION_REFUSED")


@pytest.mark.parametrize(
    "document",
    [{}, {"description": "of team A"}, {"default_artifact_root": ""}, {"trace_archival_config": {"retention": "30d"}}],
)
def test_workspace_in_its_usual_place_passes(document: dict[str, Any]) -> None:
    parameters.check_document(document, WORKSPACE)
