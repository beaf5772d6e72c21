"""docs/outages.md has a row for each past outage, and what it names is there: tests, system checks, probes."""

import ast
import re

import pytest

from mlflow_proxy.health.guide import GUIDES
from tests.docs import sources
from tests.docs.documents import ROOT, prose, rows, sections

PAST = {name: cells for name, cells in rows(prose("docs/outages.md")).items() if re.fullmatch(r"S\d+", name)}
FAULTS = rows(sections("docs/outages.md")["Faults"])
NAMED = set(re.findall(r"`(test_\w+)`", prose("docs/outages.md")))
TESTS = {
    node.name
    for path in (ROOT / "tests").rglob("test_*.py")
    for node in ast.walk(ast.parse(path.read_text()))
    if isinstance(node, ast.FunctionDef)
}


def test_every_past_outage_has_a_row():
    assert list(PAST) == [f"S{number}" for number in range(1, 35)]


@pytest.mark.parametrize("name", sorted(NAMED))
def test_named_test_exists(name):
    assert name in TESTS


def test_row_names_a_test_a_check_a_file_or_a_paragraph():
    known = re.compile(r"`test_\w+`|`[a-z_]+\.[EW]\d{3}`|\]\([\w./-]+#[\w-]+\)|`HEALTHCHECK`|`pyproject\.toml`")
    assert [name for name, cells in PAST.items() if not known.search(cells[1])] == []


def test_row_of_a_fault_names_its_proof():
    facts = {name: cells for name, cells in FAULTS.items() if name not in {"fault", "---"}}
    assert [name for name, cells in facts.items() if not re.search(r"`test_\w+`", cells[1])] == []


def test_named_check_and_probe_exist():
    text = prose("docs/outages.md")
    assert set(re.findall(r"`([a-z_]+\.[EW]\d{3})`", text)) <= sources.check_ids()
    assert set(re.findall(r"probe `(\w+)`", text)) <= GUIDES.keys()
