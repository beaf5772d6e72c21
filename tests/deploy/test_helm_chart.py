"""The Helm chart as a text: variables that exist, one address of MLflow for both, no secret; not rendered here."""

import re

import pytest

from tests.deploy import names
from tests.docs.documents import ROOT, text

TEMPLATES = ROOT / "deploy" / "helm" / "hokusai" / "templates"
HELPERS = (TEMPLATES / "_helpers.tpl").read_text()
PODS = ("portal.yaml", "worker.yaml", "mlflow.yaml", "migrate.yaml")
PORTAL, MLFLOW = (
    re.search(rf'define "hokusai.{name}Environment".*?\n{{{{- end }}}}', HELPERS, re.DOTALL)[0]
    for name in ("portal", "mlflow")
)


def variables(block):
    return dict(re.findall(r"\{name: ([A-Z][A-Z0-9_]+), value: (.*)\}$", block, re.MULTILINE))


@pytest.mark.parametrize(("block", "known"), [(PORTAL, names.PORTAL), (MLFLOW, names.MLFLOW)], ids=["portal", "mlflow"])
def test_variable_exists(block, known):
    assert len(variables(block)) >= 5
    assert names.unknown(variables(block), known) == []


def test_portal_and_mlflow_are_told_the_same():
    portal, mlflow = variables(PORTAL), variables(MLFLOW)
    assert portal["MLFLOW_SERVER_URL"] == mlflow["MLFLOW_SERVER_URL"]
    assert portal["HOKUSAI_ARTIFACT_DESTINATION"] == mlflow["DEFAULT_ARTIFACT_ROOT"]


@pytest.mark.parametrize("name", PODS)
def test_pod_is_told_no_address_of_other_services(name):
    assert (TEMPLATES / name).read_text().count("enableServiceLinks: false") == 1


@pytest.mark.parametrize("name", PODS)
def test_pod_has_no_rights_that_it_does_not_need(name):
    pod = (TEMPLATES / name).read_text()
    for word in ("hokusai.podSecurity", "hokusai.containerSecurity", "automountServiceAccountToken: false"):
        assert word in pod


def test_grace_is_longer_than_draining_and_what_gunicorn_gives_its_transfers():
    pattern = r"terminationGracePeriodSeconds: {{ add \.Values\.portal\.drainSeconds (\d+) }}"
    rest = names.number(pattern, "deploy/helm/hokusai/templates/portal.yaml")
    assert rest >= names.TRANSFERS_SECONDS + 5
    assert variables(PORTAL)["HOKUSAI_DRAIN_SECONDS"] == "{{ .Values.portal.drainSeconds | quote }}"


def test_readiness_asks_nobody_else():
    """While MLflow is away the portal says so itself; a pod that ends is taken out by its deletion."""
    probes = dict(re.findall(r"(\w+)Probe:\n +httpGet: {path: (\S+),", (TEMPLATES / "portal.yaml").read_text()))
    assert probes == {"startup": "/ready", "readiness": "/health", "liveness": "/live"}


def test_chart_writes_no_secret():
    assert [
        path.name for path in TEMPLATES.iterdir() if re.search(r"^kind: Secret$", path.read_text(), re.MULTILINE)
    ] == []


def test_chart_has_the_version_of_the_portal():
    version = re.search(r'^version = "(.+)"', text("pyproject.toml"), re.MULTILINE)[1]
    assert f'appVersion: "{version}"' in text("deploy/helm/hokusai/Chart.yaml")
