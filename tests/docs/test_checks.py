"""docs/configuration.md has one heading for each system check, and the glossary one row for each scope and preset."""

from apikeys import scopes
from tests.docs import sources
from tests.docs.documents import headings, rows, sections

GLOSSARY = sections("docs/glossary.md")


def test_check_has_a_heading():
    documented = {heading for heading in headings("docs/configuration.md") if sources.CHECK_ID.fullmatch(heading)}
    assert documented == sources.check_ids()


def test_scope_has_a_row():
    assert rows(GLOSSARY["Scopes"]).keys() - {"scope", "---"} == set(scopes.DESCRIPTIONS)


def test_preset_has_a_row_with_its_scopes():
    told = {name: cells[0].replace("`", "").split() for name, cells in rows(GLOSSARY["Presets"]).items()}
    del told["preset"]
    assert told == {name: list(words) for name, words in scopes.PRESETS.items()}
