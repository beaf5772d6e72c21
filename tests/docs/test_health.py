"""docs/health.md has one heading for each probe, with its weight and its meaning as the page shows them."""

import re

import pytest

from mlflow_proxy.health.guide import GUIDES
from tests.docs.documents import sections

SECTIONS = sections("docs/health.md")


def test_probe_has_a_heading():
    assert {heading for heading in SECTIONS if re.fullmatch(r"[a-z]+(_[a-z]+)*", heading)} == GUIDES.keys()


@pytest.mark.parametrize("name", GUIDES)
def test_heading_tells_weight_and_meaning(name):
    guide = GUIDES[name]
    assert SECTIONS[name].strip().startswith(f"{guide.weight.capitalize()}. {guide.meaning}")
