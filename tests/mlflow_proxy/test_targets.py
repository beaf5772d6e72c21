"""Request targets: one meaning or a refusal, for any bytes."""

import re
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlflow_proxy.exceptions import AmbiguousTargetError
from mlflow_proxy.targets import MAXIMUM_FIELDS, REMEMBERED_LENGTH, RequestTarget, parse

thorough = settings(max_examples=500, deadline=None)

NAMES = st.text(st.characters(exclude_categories=("Cc", "Cs"), exclude_characters="/\\"), min_size=1, max_size=12)
SEGMENTS = NAMES.filter(lambda name: name not in {".", ".."} and not re.search("%[0-9A-Fa-f]{2}", name))
WORDS = st.text(st.characters(exclude_categories=("Cs",)), max_size=8)
FIELDS = st.tuples(WORDS.filter(lambda word: word.lower() not in {"api_key", "access_token"}), WORDS)
TARGETS = st.builds(RequestTarget, st.lists(SEGMENTS, max_size=5).map(tuple), st.lists(FIELDS, max_size=5).map(tuple))
# Mostly what has a second reading: escapes, dots, slashes, and bytes that are no UTF-8.
RAW_TARGETS = st.text("/.%\\?#&=;+: aA0123569cCfFeE\x00\n\x7f\xc3\xa9\xff", max_size=24).map(lambda text: f"/{text}")


@thorough
@given(RAW_TARGETS | st.text(st.characters(max_codepoint=255)) | st.text())
def test_parse_any_text_gives_a_target_or_ambiguous_target_error(raw: str) -> None:
    try:
        target = parse(raw)
    except AmbiguousTargetError:
        return
    assert isinstance(target, RequestTarget)


@thorough
@given(TARGETS)
def test_parse_of_rendered_target_gives_the_same_target(target: RequestTarget) -> None:
    assert parse(target.render()) == target


@thorough
@given(TARGETS, st.sampled_from(["", "/mlflow", "/api/mlflow"]))
def test_parse_below_a_mount_gives_the_same_target(target: RequestTarget, mount: str) -> None:
    assert parse(target.render(mount), mount) == target


@thorough
@given(RAW_TARGETS)
def test_rendered_path_decodes_to_the_path_that_was_decided_on(raw: str) -> None:
    try:
        target = parse(raw)
    except AmbiguousTargetError:
        return
    path = target.render().partition("?")[0]
    assert tuple(unquote(segment) for segment in path[1:].split("/") if segment) == target.segments


@thorough
@given(RAW_TARGETS)
def test_accepted_segments_have_no_second_decoding(raw: str) -> None:
    try:
        target = parse(raw)
    except AmbiguousTargetError:
        return
    assert all(unquote(segment) == segment for segment in target.segments)


@thorough
@given(TARGETS)
def test_rendered_target_is_printable_ascii_without_space(target: RequestTarget) -> None:
    assert re.fullmatch(r"[\x21-\x7e]+", target.render("/mlflow"))


@pytest.mark.parametrize(
    "path",
    [
        "/a/../b",
        "/..",
        "/a/..",
        "/a/./b",
        "/.",
        "/a/%2e%2e/b",
        "/a/%2E%2e/b",
        "/a/.%2e/b",
        "/a/%2e",
        "//a",
        "/a//b",
        "/a/",
        "/a/b//",
        "/a\\b",
        "/a%5cb",
        "/..%5C..%5cb",
        "/a%0ab",
        "/a%0D%0Ab",
        "/a%00b",
        "/a%7fb",
        "/a%C2%85b",
        "/a\tb",
        "/a%2530",
        "/a%252530",
        "/%%341",
        "/%25%34%31",
        "/a%2fb",
        "/a%2Fb",
        "/%2fetc%2fpasswd",
        "/a%ff",
        "/a%C3",
        "/a\xff",
        "/a#b",
        "/a?b#c",
        "http://example.org/a",
        "//example.org/a",
        "example.org:443",
        "*",
        "",
        "a",
        "/日本",
    ],
)
def test_parse_ambiguous_target_is_refused(path: str) -> None:
    with pytest.raises(AmbiguousTargetError):
        parse(path)


@pytest.mark.parametrize(
    ("raw", "segment"),
    [
        ("100%25.txt", "100%.txt"),
        ("100%.txt", "100%.txt"),
        ("%25zz", "%zz"),
        ("%C3%BCn%C3%AF", "ünï"),
        ("\xc3\xbc", "ü"),
        ("a%20b", "a b"),
        ("a+b", "a+b"),
        ("a%2Bb", "a+b"),
        ("a;b=c", "a;b=c"),
        ("it's%22x%22", 'it\'s"x"'),
        ("a%23b", "a#b"),
        ("a%3Fb", "a?b"),
        ("...", "..."),
        (".hidden", ".hidden"),
        ("a..b", "a..b"),
        ("[x](y)~", "[x](y)~"),
        ("%61", "a"),
    ],
)
def test_parse_odd_but_clear_name_is_decoded_once(raw: str, segment: str) -> None:
    assert parse(f"/{raw}").segments == (segment,)


@pytest.mark.parametrize("name", ["100%.txt", "a b", "ünï-日本", "a;b", "a+b", "'q\"", "x#y", "x?y"])
def test_render_odd_name_survives_the_way_upstream(name: str) -> None:
    assert parse(RequestTarget(("a", name)).render()).segments == ("a", name)


def test_parse_repeated_query_keys_keeps_their_order() -> None:
    assert parse("/a?r=2&k=v&r=1&r=").query == (("r", "2"), ("k", "v"), ("r", "1"), ("r", ""))


def test_render_repeated_query_keys_keeps_their_order() -> None:
    assert parse("/a?r=2&k=v&r=1&r=").render() == "/a?r=2&k=v&r=1&r="


@pytest.mark.parametrize("name", ["api_key", "API_KEY", "access_token", "api%5fkey"])
def test_parse_credential_in_query_is_refused_with_its_reason(name: str) -> None:
    with pytest.raises(AmbiguousTargetError) as caught:
        parse(f"/a?x=1&{name}=planted")
    assert caught.value.reason == "KEY_IN_QUERY"


@pytest.mark.parametrize("query", ["a=%ff", "%C3=1", "&".join(f"a={number}" for number in range(MAXIMUM_FIELDS + 1))])
def test_parse_unreadable_query_is_refused_with_its_reason(query: str) -> None:
    with pytest.raises(AmbiguousTargetError) as caught:
        parse(f"/a?{query}")
    assert caught.value.reason == "AMBIGUOUS_QUERY"


def test_parse_refusal_never_repeats_the_target() -> None:
    with pytest.raises(AmbiguousTargetError) as caught:
        parse("/planted/../x?api_key=planted")
    assert "planted" not in str(caught.value)


@pytest.mark.parametrize("raw", ["/api%2fmlflow/x", "/api/mlflow2/x", "/api//mlflow/x", "/other/mlflow/x", "/api"])
def test_parse_mount_spelled_in_a_second_way_is_refused(raw: str) -> None:
    with pytest.raises(AmbiguousTargetError):
        parse(raw, "/api/mlflow")


@pytest.mark.parametrize("raw", ["/api/mlflow", "/api/mlflow/", "/api/mlflow?a=b"])
def test_parse_the_mount_itself_has_no_segments(raw: str) -> None:
    assert parse(raw, "/api/mlflow").segments == ()


def test_parse_escaped_letters_in_the_mount_are_rendered_plain() -> None:
    assert parse("/%61pi/mlflow/%78", "/api/mlflow").render("/mlflow") == "/mlflow/x"


def test_parse_short_target_is_remembered() -> None:
    raw = "/api/2.0/mlflow/runs/get?run_id=remembered"
    assert parse(raw) is parse(raw)


def test_parse_long_target_is_not_remembered() -> None:
    raw = f"/{'a' * REMEMBERED_LENGTH}"
    assert parse(raw) == parse(raw)
    assert parse(raw) is not parse(raw)


def test_parse_refused_target_is_refused_again() -> None:
    for _ in range(2):
        with pytest.raises(AmbiguousTargetError):
            parse("/a//b")
