"""The Terraform files as a text: variables that exist, rights that the code uses, rules for every address."""

import re
from fnmatch import fnmatchcase

import pytest
from django.urls.resolvers import RegexPattern, URLResolver

from hokusai_portal.urls import urlpatterns
from mlflow_proxy.artifacts.stores import CANARY_PREFIX
from tests.deploy import names
from tests.docs.documents import ROOT

FOLDER = ROOT / "deploy" / "terraform"
FILES = {path.name: path.read_text() for path in FOLDER.glob("*.tf")}
SERVICES, IAM = FILES["services.tf"], FILES["iam.tf"]


def pairs(local):
    """The assignments of a map among the locals of the services."""
    block = re.search(rf"^  {local} = {{\n(.*?)^  }}", SERVICES, re.MULTILINE | re.DOTALL)[1]
    return dict(re.findall(r"^ +(\w+) += (.*)$", block, re.MULTILINE))


def listed(local, file):
    return re.findall(r'"([^"]+)"', re.search(rf"^  {local} += \[(.*?)\]", FILES[file], re.MULTILINE | re.DOTALL)[1])


@pytest.mark.parametrize(
    ("local", "known"),
    [
        ("portal_environment", names.PORTAL),
        ("portal_secrets", names.PORTAL),
        ("mlflow_environment", names.MLFLOW),
        ("mlflow_secrets", names.MLFLOW),
    ],
)
def test_variable_exists(local, known):
    assert pairs(local)
    assert names.unknown(pairs(local), known) == []


def test_portal_and_mlflow_are_told_the_same():
    portal, mlflow = pairs("portal_environment"), pairs("mlflow_environment")
    assert portal["MLFLOW_SERVER_URL"] == mlflow["MLFLOW_SERVER_URL"]
    assert portal["HOKUSAI_ARTIFACT_DESTINATION"] == mlflow["DEFAULT_ARTIFACT_ROOT"]


def test_rights_of_the_portal_are_those_that_the_code_names():
    sources = (path.read_text() for path in (ROOT / "mlflow_proxy").rglob("*.py"))
    used = {action for source in sources for action in re.findall(r'"(s3:[A-Z]\w+)"', source)}
    granted = [*listed("object_actions", "iam.tf"), *listed("portal_listing", "iam.tf")]
    assert {*granted, *listed("posture_actions", "iam.tf")} == used


def test_rights_on_objects_end_at_the_prefix():
    assert IAM.count('resources = ["${aws_s3_bucket.artifacts.arn}/${local.prefix}/*"]') == 2
    assert IAM.count('variable = "s3:prefix"') == 2
    assert "s3:*" not in IAM


def test_secret_is_a_reference():
    for local in ("portal_secrets", "mlflow_secrets"):
        assert all(value.startswith('"${var.') and value.endswith('::"') for value in pairs(local).values())
    assert not re.search(r"random_password|secret_string|\bpassword +=|auth_token +=", "".join(FILES.values()))


def test_database_address_holds_no_password():
    for local, name in (("portal_environment", "DATABASE_URL"), ("mlflow_environment", "BACKEND_STORE_URI")):
        assert re.search(r'^"postgres(ql)?://\w+@', pairs(local)[name])


def test_mlflow_is_reached_by_the_portal_alone():
    ways = re.findall(r'to = "mlflow", from = (\S+),', FILES["network.tf"])
    assert ways == ['aws_security_group.of["portal"].id']
    assert "target_group_arn = aws_lb_target_group.portal.arn" in FILES["balancer.tf"]
    assert FILES["balancer.tf"].count('resource "aws_lb_target_group"') == 1


def addresses(patterns, before="/"):
    """One address below each row of the portal's URLs; what ends in a text of the caller's gets one."""
    for row in patterns:
        if isinstance(row, URLResolver) and row.namespace != "admin":
            yield from addresses(row.url_patterns, before + str(row.pattern))
        elif isinstance(row.pattern, RegexPattern):
            plain = str(row.pattern).removeprefix("^").replace("/?$", "").replace("(?P<rest>[\\s\\S]+)$", "x")
            plain = plain.replace("(?P<rest>", "").replace("(?:-artifacts)?/[\\s\\S]+)$", "/x").replace("\\.", ".")
            yield from (before + plain.replace("[23]", version) for version in "23")
        else:
            yield re.sub(r"<[^>]+>", "x", before + str(row.pattern))


ADDRESSES = sorted(set(addresses(urlpatterns)) - {"/metrics"})


@pytest.mark.parametrize("address", [*ADDRESSES, "/static/x.css", "/api/2.0/mlflow-artifacts/artifacts/x"])
def test_address_of_the_portal_has_a_rule(address):
    assert [rule for rule in listed("portal_paths", "balancer.tf") if fnmatchcase(address, rule)]


def test_metrics_have_no_rule():
    """Each replica counts for itself, and is scraped by its own address."""
    assert not [rule for rule in listed("portal_paths", "balancer.tf") if fnmatchcase("/metrics", rule)]


def test_every_rule_names_its_host():
    rules = FILES["balancer.tf"].split('resource "aws_lb_listener_rule"')[1:]
    assert len(rules) == 3
    assert all("host_header" in rule for rule in rules)


def test_second_host_leads_to_the_portal_and_is_optional():
    _, ui, _ = FILES["balancer.tf"].split('resource "aws_lb_listener_rule"')[1:]
    assert 'count        = var.ui_host == "" ? 0 : 1' in ui
    assert "values = [var.ui_host]" in ui
    assert "target_group_arn = aws_lb_target_group.portal.arn" in ui
    assert 'var.ui_host == "" ? {} : { HOKUSAI_UI_HOST = var.ui_host }' in SERVICES


def test_rules_take_no_place_of_another():
    """Five values a rule, one of them the host."""
    ordinary = -(-len(listed("portal_paths", "balancer.tf")) // 4)
    places = [int(place) for place in re.findall(r"first_rule_priority \+ (\d+)", FILES["balancer.tf"])]
    assert ordinary < min(places)
    assert sorted(set(places)) == sorted(places)


def test_bucket_ends_versions_of_the_canary():
    (rule,) = re.findall(r'id     = "canaries".*?\n  }', FILES["storage.tf"], re.DOTALL)
    assert f'prefix = "${{local.prefix}}/{CANARY_PREFIX}"' in rule
    assert "noncurrent_days = 1" in rule


def test_stop_is_later_than_draining_and_what_gunicorn_gives_its_transfers():
    fargate_allows = 120
    stop = names.number(r"stop +=\s+(\d+)", "deploy/terraform/services.tf")
    assert names.END_SECONDS + 5 <= stop <= fargate_allows
    assert names.number(r"deregistration_delay = (\d+)", "deploy/terraform/balancer.tf") > names.END_SECONDS


def test_variable_of_the_operator_loses_against_the_modules():
    for name in ("portal", "mlflow"):
        assert f"merge(var.{name}_environment, local.{name}_environment" in SERVICES
    assert "merge(local.more_portal_secrets, local.portal_secrets)" in SERVICES


def test_exception_of_the_scan_has_a_reason():
    lines = re.findall(r"^  - (\S+)(.*)$", (FOLDER / ".checkov.yaml").read_text(), re.MULTILINE)
    assert lines
    assert all(re.match(r" +# \w", reason) for _, reason in lines)
