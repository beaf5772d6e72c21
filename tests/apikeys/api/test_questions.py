"""What can be asked of oneself, of usage and of the trail."""

import csv
import io

import pytest

from apikeys import ledger, scopes
from apikeys.models import AuditEvent
from apikeys.rollups import LATENCIES
from apikeys.tallies import Counts, Kind
from tests.apikeys.api.conftest import reason, refused_fields


@pytest.fixture
def called(db, time_machine):
    """Write so many calls of a kind, so many hours before a moment that lasts."""
    from django.utils import timezone  # noqa: PLC0415

    time_machine.move_to(timezone.now(), tick=False)

    def write(calls, *, ago=0, service="platform", key="hk_live_aaaaaaaaaaaa", traffic="metadata", status=2):
        hour = int(timezone.now().timestamp() // 3600) - ago
        numbers = [calls, calls * 10, calls * 100, calls * 0.5, calls, *([0] * (len(LATENCIES) - 1))]
        ledger.add(Counts({Kind(hour, service, key, traffic, status, ""): numbers}, {}))

    return write


def usage(who, query=""):
    return who.get(f"/usage{query}").json()["results"]


def test_whoami_of_a_key_tells_its_scopes_and_address(caller):
    key = caller("key writer", "batch")
    document = key.get("/whoami").json()
    assert (document["kind"], document["name"], document["address"]) == ("key", key.issued.row.public_id, "127.0.0.1")
    assert document["granted_scopes"] == ["key:read", "key:write", "mlflow:read", "model:read", "model:write"]
    assert document["key"]["service_id"] == "batch"


def test_whoami_of_staff_tells_its_groups(caller):
    document = caller("auditor", "").get("/whoami").json()
    assert document | {"address": ""} == {
        "kind": "staff",
        "name": "auditor",
        "address": "",
        "granted_scopes": [],
        "groups": ["auditor"],
        "key": None,
    }


def test_scopes_are_the_closed_list(caller):
    rows = caller("reader").get("/scopes").json()["results"]
    assert {row["scope"]: row["description"] for row in rows} == dict(scopes.DESCRIPTIONS)
    (write,) = (row for row in rows if row["scope"] == "model:write")
    assert (write["implies"], write["presets"]) == (["model:read"], ["contributor", "registrar", "operator"])


@pytest.mark.parametrize("path", ["/whoami", "/scopes"])
def test_question_with_an_unknown_parameter_is_400(caller, path):
    assert refused_fields(caller("reader").get(f"{path}?x=1")) == {"x"}


def test_usage_is_put_together_by_hour_and_kind(operator, called):
    called(3)
    called(2, status=4)
    called(1, traffic="transfer", ago=1)
    rows = usage(operator)
    assert [(row["route_class"], row["status_class"], row["calls"]) for row in rows] == [
        ("transfer", 2, 1),
        ("metadata", 2, 3),
        ("metadata", 4, 2),
    ]
    assert (rows[0]["bytes_in"], rows[0]["bytes_out"], rows[0]["seconds"]) == (10, 100, 0.5)


def test_usage_by_day_adds_hours_and_reaches_further_back(operator, called):
    called(3, ago=72)
    called(2, ago=72, key="hk_live_bbbbbbbbbbbb")
    assert usage(operator) == []
    assert sorted(row["calls"] for row in usage(operator, "?by=day")) == [2, 3]


@pytest.mark.parametrize(
    ("query", "calls"),
    [
        ("service=batch", [1]),
        ("key=hk_live_bbbbbbbbbbbb", [1]),
        ("route_class=transfer", [2]),
        ("status_class=5", [4]),
        ("service=platform&status_class=2", [2]),
        ("until=2020-01-01T00:00:00Z&since=2019-01-01T00:00:00Z", []),
    ],
)
def test_usage_is_narrowed_down(operator, called, query, calls):
    called(1, service="batch", key="hk_live_bbbbbbbbbbbb")
    called(2, traffic="transfer")
    called(4, status=5)
    assert [row["calls"] for row in usage(operator, f"?{query}")] == calls


def test_usage_of_a_service_key_is_its_service_s(caller, called):
    called(1, service="batch")
    called(2)
    called(4, service="", key="")
    assert [row["calls"] for row in usage(caller("key reader", "batch"))] == [1]


def test_pages_of_usage_follow_each_other(operator, called):
    for number in range(5):
        called(1, key=f"hk_live_aaaaaaaaaaa{number}", ago=number % 2)
    found, address = [], "/usage?page_size=2"
    while address:
        page = operator.get(address.partition("/api/v1")[2] or address).json()
        found += [row["key_id"] for row in page["results"]]
        address = page["next"]
    assert sorted(found) == [f"hk_live_aaaaaaaaaaa{number}" for number in range(5)]


@pytest.mark.parametrize("cursor", ["cD0x", "cD0yMDIwLTAxLTAx", "cD0yMDIwLTk5LTAxVDAwOjAw"])
def test_cursor_of_usage_that_is_no_time_is_404(operator, cursor):
    assert reason(operator.get(f"/usage?cursor={cursor}")) == "NOT_FOUND"


def test_hostile_names_usage_as_csv_holds_no_formula(operator, called):
    called(3, service="-batch", key="=cmd()")
    response = operator.get("/usage?page_size=1", Accept="text/csv")
    rows = list(csv.DictReader(io.StringIO(b"".join(response).decode())))
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert (rows[0]["service_id"], rows[0]["key_id"], rows[0]["calls"]) == ("'-batch", "'=cmd()", "3")


def test_usage_as_csv_needs_no_database_while_it_is_sent(operator, called, django_assert_num_queries):
    called(3)
    response = operator.get("/usage", Accept="text/csv")
    with django_assert_num_queries(0):
        assert b"".join(response).count(b"\r\n") == 2


def test_usage_as_csv_that_is_refused_is_a_problem(operator):
    assert refused_fields(operator.get("/usage?x=1", Accept="text/csv")) == {"x"}


def test_event_is_shown_and_listed_newest_first(operator, reader):
    rows = operator.get("/audit-events").json()["results"]
    assert [row["id"] for row in rows] == sorted((row["id"] for row in rows), reverse=True)
    assert operator.get(f"/audit-events/{rows[0]['id']}").json() == rows[0]


@pytest.mark.parametrize("number", ["0", "abc", "9" * 30, "-1", "1.5"])
def test_event_that_is_none_is_404(operator, number):
    assert reason(operator.get(f"/audit-events/{number}")) == "NOT_FOUND"


def test_events_are_narrowed_down(operator, reader, stranger):
    asked = {
        f"key={reader.row.public_id}": {reader.row.public_id},
        "service=batch&event=api_key_issued": {stranger.row.public_id},
        "event=service_created": {"batch", "platform"},
        "actor=nobody": set(),
        "since=2200-01-01T00:00:00Z": set(),
    }
    found = {
        query: {row["object_id"] for row in operator.get(f"/audit-events?{query}").json()["results"]} for query in asked
    }
    assert found == asked


def test_events_of_a_service_key_are_its_service_s(caller, reader):
    auditor = caller("auditor", "batch")
    rows = auditor.get("/audit-events").json()["results"]
    assert {row["service_id"] for row in rows} == {"batch"}
    foreign = AuditEvent.objects.get(object_id=reader.row.public_id)
    assert auditor.get(f"/audit-events/{foreign.pk}").status_code == 404


def test_events_are_for_audit_read_alone(caller):
    response = caller("key writer").get("/audit-events")
    assert (response.status_code, reason(response)) == (403, "SCOPE_MISSING")
    assert response.json()["required_scope"] == "audit:read"


@pytest.mark.parametrize("path", ["/", "/nothing", "/keys/a/b/c", "/services/x/y", "/keys//"])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_address_that_is_none_is_a_404_of_this_api(operator, method, path):
    assert reason(operator.ask(method, path)) == "NOT_FOUND"
