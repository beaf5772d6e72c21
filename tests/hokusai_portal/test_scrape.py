"""/metrics: who may read it, how the others are refused, and that no cache keeps it."""

import pytest
from django.contrib.auth.models import User
from prometheus_client.parser import text_string_to_metric_families

from apikeys import actions, usage
from mlflow_proxy.health import history
from mlflow_proxy.health.answers import Probe
from tests.mlflow_proxy.samples import value


@pytest.fixture
def scraper(issue):
    return issue(name="prometheus", words=["storage:read"])


def test_metrics_for_a_key_with_the_scope(portal, scraper, bearer):
    portal.get("/nowhere")
    reply = portal.get("/metrics", headers=bearer(scraper))
    assert (reply.status_code, reply["Content-Type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert "hokusai_refusals" in {family.name for family in text_string_to_metric_families(reply.text)}


def test_metrics_in_the_format_that_prometheus_prefers(portal, scraper, bearer):
    wish = {"Accept": "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,*/*;q=0.1"}
    reply = portal.get("/metrics", headers=bearer(scraper) | wish)
    assert reply["Content-Type"].startswith("application/openmetrics-text; version=1.0.0; charset=utf-8")
    assert reply.content.endswith(b"# EOF\n")


def test_metrics_count_keys_by_status(portal, scraper, reader, bearer, actor):
    actions.revoke_key(key=reader.row, reason="test", actor=actor)
    text = portal.get("/metrics", headers=bearer(scraper)).text
    assert value(text, "hokusai_keys", status="revoked") == 1
    assert value(text, "hokusai_keys", status="active") == 1
    assert value(text, "hokusai_keys", status="in grace") == 0


def test_metrics_tell_what_the_last_storage_check_found(portal, scraper, bearer):
    probes = [Probe("database", "passed", 1.0), Probe("artifact_write", "failed", 1.0, "STORE_DENIED")]
    history.end(history.begin("worker", 2), probes)
    text = portal.get("/metrics", headers=bearer(scraper)).text
    assert value(text, "hokusai_probe_failed", probe="artifact_write") == 1
    assert value(text, "hokusai_probe_failed", probe="database") == 0
    assert 0 <= value(text, "hokusai_probe_age_seconds", probe="database") < 60


@pytest.mark.parametrize("method", ["get", "head"])
def test_metrics_for_staff(staff, method):
    assert getattr(staff, method)("/metrics").status_code == 200


def test_metrics_without_a_key_is_401(portal, db):
    reply = portal.get("/metrics")
    assert (reply.status_code, reply.json()["reason"]) == (401, "UNAUTHENTICATED")
    assert reply["WWW-Authenticate"] == "Bearer"


def test_metrics_for_somebody_who_is_no_staff_is_401(portal, db):
    portal.force_login(User.objects.create(username="guest"))
    assert portal.get("/metrics").status_code == 401


def test_metrics_with_a_bad_key_is_401_for_staff_too(staff):
    assert staff.get("/metrics", headers={"Authorization": "Bearer nonsense"}).status_code == 401


def test_metrics_without_the_scope_is_403_that_names_it(portal, reader, bearer):
    reply = portal.get("/metrics", headers=bearer(reader))
    assert (reply.status_code, reply.json()["reason"]) == (403, "SCOPE_MISSING")
    assert reply.json()["required_scope"] == "storage:read"


def test_metrics_from_a_foreign_network_is_403(portal, issue, bearer):
    key = issue(words=["storage:read"], allowed_ips=["192.0.2.0/24"])
    reply = portal.get("/metrics", headers=bearer(key))
    assert (reply.status_code, reply.json()["reason"]) == (403, "ADDRESS_REFUSED")


@pytest.mark.parametrize("who", ["nobody", "reader", "scraper"])
def test_metrics_is_never_cached(portal, who, request, bearer, db):
    headers = {} if who == "nobody" else bearer(request.getfixturevalue(who))
    assert "no-store" in portal.get("/metrics", headers=headers)["Cache-Control"]


@pytest.mark.parametrize("method", ["post", "put", "delete"])
def test_metrics_is_read_alone(portal, scraper, bearer, method):
    assert getattr(portal, method)("/metrics", headers=bearer(scraper)).status_code == 405


def test_metrics_reading_uses_the_key(portal, scraper, bearer):
    portal.get("/metrics", headers=bearer(scraper))
    assert scraper.row.pk in usage._pending
