"""The screen of usage: what an account may see of it, narrowed down as asked, and nothing to change."""

import datetime

import pytest
from django.urls import reverse
from django.utils import timezone

from apikeys.models import ClientVersion, Usage
from apikeys.rollups import LATENCIES
from tests.apikeys.admin.conftest import page

USAGE = reverse("admin:apikeys_usage_changelist")


@pytest.fixture
def used(db):
    """A factory of rows: so many calls of a key, or of nobody."""

    def use(key=None, calls=1, status_class=2, reason="", hours_ago=0):
        begins_at = timezone.now().replace(minute=0, second=0, microsecond=0) - datetime.timedelta(hours=hours_ago)
        counters = dict.fromkeys(LATENCIES, 0) | {
            "bytes_in": 10 * calls,
            "bytes_out": 2048 * calls,
            "seconds": 0.5 * calls,
        }
        return Usage.objects.create(
            begins_at=begins_at,
            span="hour",
            service_id=key.row.service.service_id if key else "",
            key_id=key.row.public_id if key else "",
            traffic="metadata",
            status_class=status_class,
            reason=reason,
            calls=calls,
            **counters,
        )

    return use


def shown(client, **asked):
    """Return the calls of each key that the page shows, and those of each reason."""
    context = client.get(USAGE, asked).context
    keys = {line["key_id"]: line["total_calls"] for line in context["keys"]}
    return keys, {line["reason"]: line["total_calls"] for line in context["reasons"]}


def test_usage_is_shown_by_key_and_by_reason(admin, used, reader, stranger):
    used(reader, 5)
    used(stranger, 3, status_class=4, reason="SCOPE_MISSING")
    used(None, 2, status_class=4, reason="KEY_MISSING")
    keys, reasons = shown(admin)
    assert keys == {reader.row.public_id: 5, stranger.row.public_id: 3}
    assert reasons == {"SCOPE_MISSING": 3, "KEY_MISSING": 2}


@pytest.mark.parametrize(("span", "calls"), [("day", 1), ("week", 3), ("nonsense", 1)])
def test_usage_is_that_of_the_span(admin, used, reader, span, calls):
    used(reader, 1, hours_ago=1)
    used(reader, 2, hours_ago=50)
    used(reader, 4, hours_ago=24 * 8)
    assert shown(admin, span=span)[0] == {reader.row.public_id: calls}


@pytest.mark.parametrize(
    ("asked", "calls"),
    [
        ({"service": "batch"}, [3]),
        ({"key": "nobody's"}, []),
        ({"reason": "SCOPE_MISSING"}, [3]),
        ({"outcome": "refused"}, [3]),
        ({"outcome": "failed"}, []),
        ({"outcome": "nonsense", "digest": "0"}, [5, 3]),
    ],
)
def test_usage_is_narrowed_down(admin, used, reader, stranger, asked, calls):
    used(reader, 5)
    used(stranger, 3, status_class=4, reason="SCOPE_MISSING")
    assert list(shown(admin, **asked)[0].values()) == calls


def test_usage_of_other_services_and_of_nobody_is_hidden_from_a_key_issuer(issuer, used, reader, stranger):
    used(reader, 5)
    used(stranger, 3)
    used(None, 2, status_class=4, reason="KEY_MISSING")
    assert shown(issuer) == ({stranger.row.public_id: 3}, {})
    assert issuer.get(USAGE).context["chart"].totals["calls"] == 3


def test_usage_is_forbidden_to_an_account_without_a_group(as_role):
    assert as_role("no group").get(USAGE).status_code == 403


@pytest.mark.parametrize("path", ["add/", "1/change/", "1/delete/"])
def test_usage_cannot_be_changed(as_role, used, reader, path):
    used(reader, 5)
    before = list(Usage.objects.values())
    as_role("superuser").post(f"{USAGE}{path}", {"calls": 0, "post": "yes"})
    assert list(Usage.objects.values()) == before


def test_page_of_a_service_shows_its_calls_and_clients(admin, used, reader, stranger):
    used(reader, 5)
    used(stranger, 3)
    facts = {"day": timezone.now().date(), "product": "mlflow-python-client", "version": "3.17.2", "calls": 5}
    ClientVersion.objects.create(service_id="platform", key_id=reader.row.public_id, **facts)
    response = admin.get(page(reader.row.service))
    assert response.context["chart"].totals["calls"] == 5
    assert "mlflow-python-client 3.17.2" in response.content.decode()


def test_page_of_a_key_shows_its_calls_alone(admin, used, reader, writer):
    used(reader, 5)
    used(writer, 3)
    assert admin.get(page(writer.row)).context["chart"].totals["calls"] == 3
