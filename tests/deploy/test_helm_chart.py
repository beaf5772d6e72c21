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


def test_grace_is_longer_than_what_gunicorn_gives_its_transfers():
    grace = int(re.search(r"terminationGracePeriodSeconds: (\d+)", (TEMPLATES / "portal.yaml").read_text())[1])
    pause = int(re.search(r'"sleep", "(\d+)"', (TEMPLATES / "portal.yaml").read_text())[1])
    gunicorn = int(re.search(r"^graceful_timeout = (\d+)", text("hokusai_portal/gunicorn.conf.py"), re.MULTILINE)[1])
    assert grace > pause + gunicorn


def test_chart_writes_no_secret():
    assert [
        path.name for path in TEMPLATES.iterdir() if re.search(r"^kind: Secret$", path.read_text(), re.MULTILINE)
    ] == []


def test_chart_has_the_version_of_the_portal():
    version = re.search(r'^version = "(.+)"', text("pyproject.toml"), re.MULTILINE)[1]
    assert f'appVersion: "{version}"' in text("deploy/helm/hokusai/Chart.yaml")
