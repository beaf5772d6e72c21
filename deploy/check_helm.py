"""Lints the Helm chart, renders it in several shapes and checks each object against Kubernetes; asks no cluster."""

import sys
from pathlib import Path
from typing import Any

import helm_python
import kubernetes_validate
import yaml

CHART = Path(__file__).parent / "helm" / "hokusai"
LEAST: dict[str, Any] = {
    "publicUrl": "https://registry.example.org",
    "trustedProxies": ["10.0.0.0/8"],
    "artifacts": {"destination": "s3://hokusai-mlflow-artifacts-production/artifacts"},
    "portal": {"secretName": "portal"},
    "mlflow": {"secretName": "mlflow"},
    "ingress": {"tlsSecretName": "certificate"},
}
MORE: dict[str, Any] = {
    **LEAST,
    "artifacts": LEAST["artifacts"] | {"endpointUrl": "https://store.example.org"},
    "portal": {
        "secretName": "portal",
        "image": {"digest": "sha256:" + 64 * "0"},
        "autoscaling": {"enabled": True},
        "environment": {"HOKUSAI_LOG_LEVEL": "DEBUG"},
        "serviceAccount": {"annotations": {"example.org/role": "portal"}},
    },
    "mlflow": {"secretName": "mlflow", "replicas": 2, "upgradeDatabase": True, "backendStoreUri": "postgresql://u@h/d"},
    "uiHost": "mlflow.example.org:8443",
    "ingress": {
        "tlsSecretName": "certificate",
        "uiTlsSecretName": "another",
        "className": "nginx",
        "annotations": {"example.org/x": "y"},
    },
    "networkPolicy": {"portalFrom": [{"namespaceSelector": {"matchLabels": {"name": "ingress"}}}]},
}
CLOSED: dict[str, Any] = {**LEAST, "ingress": {"enabled": False}, "networkPolicy": {"enabled": False}}
BOTH: dict[str, Any] = {**LEAST, "uiHost": "mlflow.example.org"}
# What must not be rendered: nothing set, an address in clear, a password in one, a typing error, one host for both.
REFUSED: tuple[dict[str, Any], ...] = (
    {},
    {**LEAST, "publicUrl": "http://registry.example.org"},
    {**LEAST, "mlflow": {"secretName": "mlflow", "backendStoreUri": "postgresql://u:word@h/d"}},
    {**LEAST, "portal": {"secretName": "portal", "replica": 3}},
    {**LEAST, "uiHost": "Registry.example.org"},
)
VERSION = "1.34"
NOTE = 1


def rendered(values: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the objects of a release; raises helm_python.HelmError."""
    with helm_python.Chart.load(CHART) as chart:
        files = chart.render(values, name="registry", namespace="hokusai")
    texts = [text for name, text in files.items() if name.endswith(".yaml")]
    return [document for text in texts for document in yaml.safe_load_all(text) if document]


def check(values: dict[str, Any]) -> int:
    report = helm_python.lint(CHART, values, strict=True)
    faults = [message for message in report["messages"] if message["severity"] > NOTE]
    assert not faults + report["errors"], faults + report["errors"]
    objects = rendered(values)
    for item in objects:
        kubernetes_validate.validate(item, VERSION, strict=True)
    check_ways(objects)
    check_hosts(objects, values.get("uiHost", "").partition(":")[0])
    return len(objects)


def check_ways(objects: list[dict[str, Any]]) -> None:
    """Nothing from outside leads to MLflow, and from inside portal and worker alone; raises AssertionError."""
    component = "app.kubernetes.io/component"
    for item in objects:
        spec = item.get("spec", {})
        if item["kind"] == "Ingress":
            paths = [path for rule in spec["rules"] for path in rule["http"]["paths"]]
            assert {path["backend"]["service"]["name"] for path in paths} == {"registry-portal"}
        if item["kind"] == "NetworkPolicy" and spec["podSelector"]["matchLabels"].get(component) == "mlflow":
            (way,) = spec["ingress"]
            assert {peer["podSelector"]["matchLabels"][component] for peer in way["from"]} == {"portal", "worker"}
        if item["kind"] == "Service":
            assert spec.get("type", "ClusterIP") == "ClusterIP"


def check_hosts(objects: list[dict[str, Any]], ui_host: str) -> None:
    """Every host has a rule and a certificate, and the portal knows the second; raises AssertionError."""
    hosts = ["registry.example.org", ui_host] if ui_host else ["registry.example.org"]
    for item in objects:
        if item["kind"] == "Ingress":
            assert [rule["host"] for rule in item["spec"]["rules"]] == hosts
            assert [host for certificate in item["spec"]["tls"] for host in certificate["hosts"]] == hosts
        if item["kind"] == "Deployment" and item["metadata"]["name"] == "registry-portal":
            (portal,) = item["spec"]["template"]["spec"]["containers"]
            assert ("HOKUSAI_UI_HOST" in {variable["name"] for variable in portal["env"]}) == bool(ui_host)


def main() -> int:
    for title, values in (("least", LEAST), ("more", MORE), ("both hosts", BOTH), ("closed", CLOSED)):
        print(f"deploy/helm, {title}: {check(values)} objects are good")
    for values in REFUSED:
        try:
            rendered(values)
        except helm_python.HelmError as error:
            print(f"deploy/helm refuses: {' '.join(str(error).split())[-110:]}")
        else:
            print(f"deploy/helm rendered what it should refuse: {values}")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
