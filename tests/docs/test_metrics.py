"""docs/operations.md has one row for each metric, with its type and labels, and for each label the values it takes."""

from mlflow_proxy import metrics, reasons
from tests.docs.documents import ROOT, rows, sections
from tests.docs.test_errors import SECTIONS

TABLE = rows(sections("docs/operations.md")["Metrics"])


def shown_name(family):
    return f"{family.name}_total" if family.type == "counter" else family.name


def words(cell):
    return [word.strip(" `") for word in cell.split(",")]


def test_metric_has_a_row_with_type_and_labels():
    known = {
        shown_name(family): [family.type, list(metric._labelnames)]
        for metric in metrics.METRICS
        for family in metric.describe()
    }
    told = {name: [cells[0], words(cells[1])] for name, cells in TABLE.items() if name.startswith("hokusai_")}
    assert told == known


def test_name_says_its_unit():
    for name, cells in TABLE.items():
        # A gauge without a unit is a number of what it is called.
        is_number = name.startswith("hokusai_") and cells[0] != "gauge"
        assert not is_number or name.endswith(("_total", "_seconds", "_bytes"))


def test_label_has_a_row_with_its_values():
    labels = {label for metric in metrics.METRICS for label in metric._labelnames}
    assert labels <= TABLE.keys()
    assert all(f"`{word}`" in TABLE["traffic"][0] for word in metrics.TRAFFIC)
    assert set(words(TABLE["method"][0])) == metrics.METHODS | {metrics.OTHER}


def test_list_of_metrics_is_closed():
    assert {family.name for family in metrics._registry.collect()} == {
        family.name for metric in metrics.METRICS for family in metric.describe()
    }


def test_one_module_knows_the_library_of_metrics():
    packages = ("apikeys", "mlflow_proxy", "hokusai_portal")
    paths = (path for package in packages for path in (ROOT / package).rglob("*.py"))
    knowing = [path.relative_to(ROOT).as_posix() for path in paths if "prometheus_client" in path.read_text()]
    assert knowing == ["mlflow_proxy/metrics.py"]


def test_reason_is_counted_when_it_has_a_heading():
    assert SECTIONS.keys() == reasons.REASONS, "add it to mlflow_proxy/reasons.py, or it is counted as other"
