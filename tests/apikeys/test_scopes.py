"""Scopes: a closed list in which write implies read and nothing implies delete or admin."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apikeys import scopes

words = st.sampled_from(sorted(scopes.ALL))


def family(word):
    return word.partition(":")[0]


@given(words)
def test_grants_own_word_is_true(word):
    assert scopes.grants([word], word)


@pytest.mark.parametrize("name", ["mlflow", "model", "artifact", "key"])
def test_grants_write_implies_read_of_its_family(name):
    assert scopes.grants([f"{name}:write"], f"{name}:read")


@pytest.mark.parametrize(("held", "required"), list(itertools.permutations(sorted(scopes.ALL), 2)))
def test_grants_nothing_else_is_implied(held, required):
    is_implied = held.endswith(":write") and required == f"{family(held)}:read"
    assert scopes.grants([held], required) is is_implied


@given(words)
def test_grants_no_scope_means_no_right(required):
    assert not scopes.grants([], required)


@given(st.text(), words)
def test_grants_unknown_word_gives_nothing(held, required):
    assert scopes.grants([held], required) is (held in scopes.ALL and required in scopes.implied_by(held))


@given(st.text())
def test_grants_unknown_requirement_is_refused(required):
    assert scopes.grants(scopes.ALL, required) is (required in scopes.ALL)


@given(st.lists(words, min_size=1))
def test_normalise_sorts_without_repeats(chosen):
    assert scopes.normalise(chosen) == sorted(set(chosen))


@pytest.mark.parametrize("word", ["model:execute", "MODEL:READ", "model", "", "mlflow:access"])
def test_normalise_unknown_word_is_named(word):
    with pytest.raises(scopes.UnknownScopeError, match=f"unknown scope {word}"):
        scopes.normalise(["model:read", word])


def test_normalise_no_word_is_refused():
    with pytest.raises(scopes.UnknownScopeError, match="at least one scope"):
        scopes.normalise([])


@pytest.mark.parametrize("words", scopes.PRESETS.values(), ids=scopes.PRESETS)
def test_preset_words_are_all_known(words):
    assert set(words) <= scopes.ALL


def test_preset_contributor_trains_logs_and_registers():
    granted = {"mlflow:write", "model:write", "artifact:write", "mlflow:read", "model:read", "artifact:read"}
    assert {word for word in scopes.ALL if scopes.grants(scopes.PRESETS["contributor"], word)} == granted


def test_preset_reader_changes_nothing():
    granted = {word for word in scopes.ALL if scopes.grants(scopes.PRESETS["reader"], word)}
    assert granted == {"mlflow:read", "model:read", "artifact:read"}


@pytest.mark.parametrize("word", ["model:write", "model:delete"])
def test_promotion_is_implied_by_no_other_scope(word):
    assert not scopes.grants([word], "model:promote")
