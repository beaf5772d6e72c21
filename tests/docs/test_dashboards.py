"""The dashboard and the alerting rules ask for metrics, labels and reasons that exist; each rule has its row."""

import json
import re

import pytest
import yaml

from mlflow_proxy import metrics, reasons
from tests.docs.documents import rows, sections, text

SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum"), "gauge": ("",)}
LABELS = {
    f"{family.name}{suffix}": {*metric._labelnames, "le", "job", "instance"}
    for metric in metrics.METRICS
    for family in metric.describe()
    for suffix in SUFFIXES[family.type]
}
(GROUP,) = yaml.safe_load(text("deploy/prometheus/alerts.yml"))["groups"]
RULES = {rule["alert"]: rule for rule in GROUP["rules"]}
DASHBOARD = json.loads(text("deploy/grafana/dashboard.json"))
EXPRESSIONS = [rule["expr"] for rule in RULES.values()] + [
    target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]
]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_expression_asks_for_what_exists(expression):
    names = set(re.findall(r"hokusai_\w+", expression))
    assert names <= LABELS.keys()
    for name, selector in re.findall(r"(hokusai_\w+)\{([^}]*)\}", expression):
        assert set(re.findall(r"(\w+)\s*[=!]~?", selector)) <= LABELS[name]
    grouped = {word.strip() for group in re.findall(r"by \(([^)]*)\)", expression) for word in group.split(",")}
    assert grouped <= set().union(*(LABELS[name] for name in names), {"job"})


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_expression_names_known_reasons_and_closes_what_it_opens(expression):
    told = re.findall(r"reason=~?\s*\"([^\"]+)\"", expression)
    assert {word for words in told for word in words.split("|")} <= reasons.REASONS
    assert [expression.count(mark) for mark in "({["] == [expression.count(mark) for mark in ")}]"]


def test_every_metric_is_on_the_dashboard():
    shown = " ".join(EXPRESSIONS)
    missing = [family.name for metric in metrics.METRICS for family in metric.describe() if family.name not in shown]
    assert missing == []


def test_panels_do_not_lie_on_each_other():
    places = [tuple(panel["gridPos"][side] for side in "xy") for panel in DASHBOARD["panels"]]
    assert len(set(places)) == len(places) == len({panel["id"] for panel in DASHBOARD["panels"]})


def test_rule_has_a_row_that_says_what_to_do():
    table = rows(sections("docs/operations.md")["Alerting rules"])
    assert table.keys() - {"alert", "---"} == RULES.keys()
    assert all(re.search(r"\w{3}", cells[0]) for cells in table.values())


@pytest.mark.parametrize("name", RULES)
def test_rule_has_a_severity_and_a_sentence(name):
    assert RULES[name]["labels"]["severity"] in {"page", "ticket"}
    assert RULES[name]["annotations"]["summary"].endswith(".")
