"""The file of services: what was written is read again, and what is not known is refused by name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apikeys.management import manifests
from apikeys.management.manifests import ManifestRefusedError

TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]))
FACTS = st.fixed_dictionaries(
    {},
    optional={
        "description": TEXTS,
        "owner": TEXTS,
        "default_scopes": st.lists(TEXTS),
        "default_days": st.none() | st.integers(),
        "workspaces": st.lists(TEXTS),
        "presigned_urls": st.booleans(),
    },
)


@given(st.dictionaries(st.from_regex(r"[a-z0-9-]{1,63}", fullmatch=True), FACTS))
def test_manifest_is_read_as_it_was_written(manifest):
    assert manifests.parse(manifests.render(manifest)) == manifest


def service(text):
    return f"version: 1\nservices:\n  batch: {text}\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "must be names with values"),
        ("- a", "must be names with values"),
        ("a: [", "no YAML at line"),
        ("version: 2\nservices: {}", "version must be 1"),
        ("version: true\nservices: {}", "version must be 1"),
        ("version: 1", "services must be names with values"),
        ("version: 1\nservices: {}\nkeys: []", "unknown fields: keys"),
        ("version: 1\nservices: {no: {}}", "False is no text"),
        ("version: 1\nversion: 1\nservices: {}", "names version twice"),
        (service("{owner: a, owner: b}"), "line 3 names owner twice"),
        (service("{secret: x}"), "service batch has unknown fields: secret"),
        (service("{default_days: true}"), "default_days of service batch must be a whole number or null"),
        (service("{default_days: 7.5}"), "default_days of service batch"),
        (service("{owner: null}"), "owner of service batch must be a text"),
        (service("{presigned_urls: 1}"), "must be true or false"),
        (service("{default_scopes: [1]}"), "must be a list of texts"),
        (service("x"), "service batch must be names with values"),
        ("!!python/object/apply:os.getcwd []", "no YAML"),
        ("? [a, b]\n: 1", "no YAML"),
    ],
)
def test_manifest_that_is_not_understood_is_refused_by_its_place(text, words):
    with pytest.raises(ManifestRefusedError) as caught:
        manifests.parse(text)
    assert words in str(caught.value)


def test_manifest_service_without_fields_changes_nothing():
    assert manifests.parse("version: 1\nservices: {batch: }") == {"batch": {}}
