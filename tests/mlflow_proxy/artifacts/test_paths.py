"""Artifact paths and locations: one reading, enough depth, and no store but the portal's."""

from urllib.parse import quote, unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlflow_proxy.artifacts import paths
from mlflow_proxy.exceptions import AmbiguousTargetError, LocationRefusedError

thorough = settings(max_examples=500, deadline=None)
PIECES = st.sampled_from([*"/.%\\:;?# aé0", "..", "%2e", "%2F", "%25", "\n", "\x00", "\x85", "artifacts", "workspaces"])
SPELLINGS = st.lists(PIECES, max_size=10).map("".join)
SERVED = [
    "mlflow-artifacts:/models",
    "mlflow-artifacts:/models/",
    "mlflow-artifacts:/0/r/artifacts",
]
FOREIGN = [
    *("s3://finance-backups/dumps", "gs://bucket/x", "wasbs://c@a.blob.core.windows.net/x", "abfss://c@a/x"),
    *("dbfs:/", "dbfs:/x", "uc:/x", "hdfs://n/x", "ftp://h/x", "sftp://h/x", "r2://b@a/x", "http://h/x", "https://h/x"),
    *(
        "file:",
        "file:///etc",
        "file:/etc",
        "/etc",
        "etc",
        "./x",
        "../x",
        "C:\\x",
        "C:/x",
        "\\\\h\\x",
        "//h/x",
        " ",
        ".",
    ),
    *("mlflow-artifacts:", "mlflow-artifacts:x", "mlflow-artifacts://host/x", "mlflow-artifacts:///x"),
    *("MLFLOW-ARTIFACTS:/x", " mlflow-artifacts:/x", "\tmlflow-artifacts:/x", "mlflow-artifacts\n:/x"),
    *("mlflow-artifacts:/../x", "mlflow-artifacts:/x/..", "mlflow-artifacts:/./x", "mlflow-artifacts:/x//y"),
    *("mlflow-artifacts:/%2e%2e/x", "mlflow-artifacts:/%252e%252e/x", "mlflow-artifacts:/x%2f..%2fy"),
    *("mlflow-artifacts:/x?x", "mlflow-artifacts:/?", "mlflow-artifacts:/x#x", "mlflow-artifacts:/#"),
    *("mlflow-artifacts:/x\\..\\y", "mlflow-artifacts:/x\ny", "mlflow-artifacts:/x\x00", "mlflow-artifacts:/x//"),
]


@pytest.mark.parametrize(
    "segment", ["", ".", "..", "a/b", "a\\b", "%2e", "a%41", "%25", "a\nb", "\x00", "\x7f", "\x85"]
)
def test_ambiguous_segment_is_refused(segment: str) -> None:
    with pytest.raises(AmbiguousTargetError):
        paths.refuse_ambiguous_segment(segment)


@pytest.mark.parametrize(
    "segment", ["a", "...", "..a", "100%.txt", "%zz", "a b", "ünï-日本", "a;b", "a+b=c&d", "[x](y)~", "'"]
)
def test_odd_but_clear_segment_passes(segment: str) -> None:
    paths.refuse_ambiguous_segment(segment)


def test_refusal_of_a_segment_never_repeats_it() -> None:
    with pytest.raises(AmbiguousTargetError) as caught:
        paths.refuse_ambiguous_segment("planted\n")
    assert "planted" not in str(caught.value)


@thorough
@given(SPELLINGS)
def test_path_that_passes_has_no_second_decoding_and_no_way_up(path: str) -> None:
    try:
        paths.refuse_ambiguous_path(path)
    except AmbiguousTargetError:
        return
    assert unquote(path) == path
    assert not {"..", "."} & set(path.split("/"))
    assert not path.startswith("/")


@thorough
@given(SPELLINGS, st.integers(1, 9))
def test_path_escaped_once_more_is_refused(path: str, times: int) -> None:
    escaped = path
    for _ in range(times):
        escaped = quote(escaped, safe="")
    if escaped != path:
        with pytest.raises(AmbiguousTargetError):
            paths.refuse_ambiguous_path(escaped)


def test_empty_path_is_the_root() -> None:
    paths.refuse_ambiguous_path("")


@pytest.mark.parametrize(
    "path",
    [
        *("0/r/artifacts/a", "0/r/artifacts/a/b", "0/models/m-1/artifacts/MLmodel", "0/traces/tr-1/artifacts/t.json"),
        *("workspaces/w/0/r/artifacts/a", "workspaces/w/0/models/m-1/artifacts/a", "models/0/r/artifacts/a"),
    ],
)
def test_depth_of_a_whole_path_is_enough(path: str) -> None:
    paths.refuse_shallow(tuple(path.split("/")))


@pytest.mark.parametrize(
    "path",
    [
        *("", "0", "0/r", "0/r/artifacts", "artifacts", "artifacts/a", "0/artifacts/a", "0/r/a/b/c", "0/models"),
        *("0/models/m-1", "0/models/m-1/artifacts", "0/traces/tr-1", "0/traces/tr-1/artifacts", "0/models/m-1/x"),
        *("workspaces", "workspaces/w", "workspaces/w/0", "workspaces/w/0/r", "workspaces/w/0/r/artifacts"),
        *("workspaces/w/artifacts/a", "workspaces/w/0/artifacts/a", "0/r/Artifacts/a"),
    ],
)
def test_artifact_root_delete_path_without_a_name_below_one_run_is_too_short(path: str) -> None:
    with pytest.raises(LocationRefusedError) as caught:
        paths.refuse_shallow(tuple(path.split("/")))
    assert caught.value.reason == "ARTIFACT_PATH_TOO_SHORT"


@given(st.lists(st.sampled_from(["artifacts", "0", "r", "models", "workspaces", "a"]), max_size=8))
def test_parent_of_a_run_is_never_deep_enough(parts: list[str]) -> None:
    """What passes has three names at least before its own, the last of them or an earlier one ``artifacts``."""
    try:
        paths.refuse_shallow(tuple(parts))
    except LocationRefusedError:
        return
    assert "artifacts" in parts[:-1]
    assert len(parts) >= 4


@pytest.mark.parametrize("location", ["", *SERVED])
def test_artifact_location_empty_or_served_passes(location: str) -> None:
    paths.refuse_foreign_location(location)


@pytest.mark.parametrize("location", [*FOREIGN, "runs:/r/model", "models:/m/1"])
def test_artifact_location_elsewhere_is_refused(location: str) -> None:
    with pytest.raises(LocationRefusedError) as caught:
        paths.refuse_foreign_location(location)
    assert caught.value.reason == "LOCATION_REFUSED"


@pytest.mark.parametrize(
    "source",
    [
        *SERVED,
        "runs:/0123/model",
        "models:/m-0123",
        "models:/name/1",
        "models:/name@champion",
        "prompt-template",
        "dummy-source",
    ],
)
def test_model_source_that_the_portal_serves_passes(source: str) -> None:
    paths.refuse_foreign_source(source)


@pytest.mark.parametrize(
    "source",
    [
        *FOREIGN,
        *(
            "",
            "runs:x",
            "runs://h/x",
            "runs:/../x",
            "runs:/x?y",
            "runs:/x#y",
            "models:/x/1#",
            "models:/x/1?",
            "models:/x/..",
        ),
        *("prompt-template/../x", "Prompt-Template", "dummy-source/x", "prompt-template ", "s3://own/prefix#x"),
    ],
)
def test_model_source_elsewhere_is_refused(source: str) -> None:
    with pytest.raises(LocationRefusedError):
        paths.refuse_foreign_source(source)


@thorough
@given(SPELLINGS, st.sampled_from(["", "s3://", "file:", "mlflow-artifacts://", "/"]))
def test_location_that_passes_is_a_clear_path_below_the_served_root(rest: str, start: str) -> None:
    location = start + rest
    try:
        paths.refuse_foreign_location(location)
    except LocationRefusedError:
        return
    path = location.removeprefix("mlflow-artifacts:/")
    assert location == "" or path != location
    assert not set("?#\\") & set(path)
    paths.refuse_ambiguous_path(path.removesuffix("/"))
