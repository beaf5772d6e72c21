"""Links and file names in the documents lead somewhere, and no document holds what must not be there."""

import re

import pytest

from tests.docs.documents import DOCUMENTS, ROOT, anchors, prose, spans, text

FILE = re.compile(r"[\w.-]+(/[\w.-]+)*\.(py|sh|md|txt|toml|html|in|mlflow)")


def links(name):
    return re.findall(r"\]\(([^)\s]+)\)", prose(name))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_relative_link_resolves(name):
    here = (ROOT / name).parent
    broken = []
    for link in links(name):
        path, _, anchor = link.partition("#")
        target = (here / path if path else ROOT / name).resolve()
        if "://" in link:
            continue
        if not target.exists() or (anchor and anchor not in anchors(target.relative_to(ROOT).as_posix())):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_file_named_in_prose_exists(name):
    files = [span for span in spans(name) if FILE.fullmatch(span) and span != "train.py"]
    assert [file for file in files if not (ROOT / file).exists()] == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_document_holds_no_key(name):
    assert re.findall(r"hk_(?:live|test|dev)_[0-9A-Za-z]{12,}", text(name)) == []


def test_every_document_is_reached_from_the_readme():
    reached, ahead = set(), ["README.md"]
    while ahead:
        name = ahead.pop()
        reached.add(name)
        found = {((ROOT / name).parent / link.partition("#")[0]).resolve() for link in links(name) if "://" not in link}
        names = {path.relative_to(ROOT).as_posix() for path in found if path.is_file()}
        ahead += [name for name in names if name in DOCUMENTS and name not in reached]
    assert set(DOCUMENTS) - reached == set()


def test_every_decision_is_listed():
    files = {path.name for path in (ROOT / "docs/adr").glob("0*.md")}
    assert set(links("docs/adr/README.md")) == files
