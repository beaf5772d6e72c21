"""The screen of the audit trail: narrowing down, one event with before and after, exports that compute nothing."""

import ast
import csv
import io
import json

import pytest
from django.urls import reverse

from apikeys import actions, spreadsheets, trail
from apikeys.admin import audit_filters, exports
from apikeys.models import AuditEvent
from tests.apikeys.admin.conftest import change, listed, page, text_of
from tests.hokusai_portal.test_house import SOURCES

CSV, JSON_LINES = reverse("admin:apikeys_auditevent_csv"), reverse("admin:apikeys_auditevent_jsonl")


@pytest.fixture
def auditor(as_role):
    return as_role("auditor")


def shown(client, **query):
    return {event.action for event in client.get(listed("auditevent"), query).context["cl"].result_list}


@pytest.mark.parametrize(
    ("query", "actions_shown"),
    [
        ({"action": "api_key_issued"}, {"api_key_issued"}),
        ({"actor": "migration"}, {"service_created"}),
        ({"service": "batch", "action": "api_key_issued"}, {"api_key_issued"}),
        ({"service": "nobody"}, set()),
        ({"address": "192.0.2.7", "action": "service_created"}, {"service_created"}),
        ({"since": "2999-01-01"}, set()),
        ({"until": "2001-01-01"}, set()),
        ({"since": "2001-01-01", "until": "2999-01-01", "actor": "migration"}, {"service_created"}),
    ],
    ids=str,
)
def test_trail_is_narrowed_down(auditor, reader, stranger, query, actions_shown):
    assert shown(auditor, **query) == actions_shown


@pytest.mark.parametrize("query", [{"since": "tomorrow"}, {"address": "here"}, {"action": "x"}], ids=str)
def test_trail_narrowed_by_nonsense_shows_nothing_and_says_why(auditor, reader, query):
    response = auditor.get(listed("auditevent"), query)
    assert not response.context["cl"].result_list
    assert "errorlist" in response.content.decode()


def test_trail_is_searched_by_object_request_and_reason(auditor, reader, actor):
    actions.revoke_key(key=reader.row, reason="laptop lost", actor=actor)
    assert shown(auditor, q="laptop") == {"api_key_revoked"}
    assert shown(auditor, q=reader.row.public_id) == {"api_key_issued", "api_key_revoked"}
    assert "api_key_issued" in shown(auditor, q="req-1")


@pytest.mark.parametrize("query", [{"since": "0001-01-01"}, {"until": "9999-12-31"}, {"q": "\0"}, {"p": "x"}], ids=str)
def test_trail_asked_for_the_extremes_answers(auditor, reader, query):
    assert auditor.get(listed("auditevent"), query, follow=True).status_code == 200


def test_export_of_a_page_that_is_none_is_400(auditor, platform, actor):
    for number in range(60):
        trail.record("service_changed", actor, object_id=f"n-{number}")
    assert auditor.post(f"{CSV}?p=999").status_code == 400


@pytest.mark.parametrize("lookup", ["before__name", "at__gte", "after__contains"])
def test_trail_cannot_be_asked_in_other_ways(auditor, lookup):
    assert auditor.get(listed("auditevent"), {lookup: "a"}).status_code == 400


def test_event_page_shows_before_after_reason_address_and_request(auditor, platform, actor):
    actions.change_service(service=platform, owner="ops", actor=actor)
    text = auditor.get(page(AuditEvent.objects.get(action="service_changed"))).content.decode()
    for words in ("Service changed", "owner", "ops", "192.0.2.7", "req-1", "alice"):
        assert words in text


def test_history_of_a_key_leads_into_the_trail(admin, reader):
    response = admin.get(reverse("admin:apikeys_apikey_history", args=[reader.row.pk]))
    assert response["Location"] == f"{listed('auditevent')}?q={reader.row.public_id}"


def test_denial_is_in_the_trail_with_what_was_asked(as_role, reader, auditor):
    as_role("viewer").post(change(reader.row, "revoke"), {"reason": "r"})
    event = AuditEvent.objects.get(action="admin_denied")
    assert (event.actor, event.after) == ("viewer", {"method": "POST", "path": change(reader.row, "revoke")})
    assert "Admin denied" in auditor.get(listed("auditevent")).content.decode()


def test_export_csv_holds_every_row_of_the_list(auditor, reader, stranger):
    response = auditor.post(f"{CSV}?action=api_key_issued")
    rows = list(csv.DictReader(io.StringIO(text_of(response))))
    assert {row["object_id"] for row in rows} == {reader.row.public_id, stranger.row.public_id}
    assert json.loads(rows[0]["after"])["name"] in {"reader", "stranger"}
    assert response["Content-Disposition"] == 'attachment; filename="audit-trail.csv"'


def test_export_json_lines_is_one_object_a_line(auditor, reader):
    documents = [json.loads(line) for line in text_of(auditor.post(JSON_LINES)).splitlines()]
    assert documents[-1]["action"] == "service_created"
    assert set(documents[0]) == set(exports.COLUMNS)


def test_export_goes_beyond_the_page(auditor, platform, actor):
    for number in range(60):
        trail.record("service_changed", actor, object_id=f"n-{number}")
    assert text_of(auditor.post(f"{JSON_LINES}?action=service_changed")).count("\n") == 60


def test_export_is_streamed(auditor, reader):
    assert auditor.post(CSV).streaming


def test_export_is_in_the_trail(auditor, reader):
    text_of(auditor.post(f"{CSV}?actor=alice"))
    event = AuditEvent.objects.get(action="audit_exported")
    assert (event.actor, event.object_id, event.after) == ("auditor", "csv", {"filters": "actor=alice"})


@pytest.mark.parametrize("sign", spreadsheets.FORMULA_SIGNS)
@pytest.mark.parametrize("before", ["", " ", "  "])
def test_export_cell_that_would_be_computed_is_not(sign, before):
    assert spreadsheets.harmless(f"{before}{sign}cmd()") == f"'{before}{sign}cmd()"


@pytest.mark.parametrize("cell", ["plain", "", "a=b", "192.0.2.1", "2026-11-25T20:00:00+00:00"])
def test_export_other_cell_stays_as_it_is(cell):
    assert spreadsheets.harmless(cell) == cell


def test_export_with_hostile_reason_is_harmless_in_both_forms(auditor, reader, actor):
    reason = '=HYPERLINK("https://evil.example","x")\u202egnp'
    actions.revoke_key(key=reader.row, reason=reason, actor=actor)
    (row,) = csv.DictReader(io.StringIO(text_of(auditor.post(f"{CSV}?action=api_key_revoked"))))
    assert row["reason"] == f"'{reason}"
    line = text_of(auditor.post(f"{JSON_LINES}?action=api_key_revoked"))
    assert line.isascii()
    assert json.loads(line)["reason"] == reason


def test_filter_offers_every_action_that_the_code_records():
    assert set(recorded_actions()) == set(audit_filters.ACTIONS)


RECORDERS = {"record", "record_of_key", "_record_of_service", "_record_of_webhook"}


def recorded_actions():
    """Yield the words that stand where the source records something."""
    for node in (node for text in SOURCES.values() for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)):
        called = getattr(node.func, "id", getattr(node.func, "attr", ""))
        match node.args:
            case [ast.Constant(value=word), *_] if called in RECORDERS:
                yield word
            case [ast.Name(id=name), *_] if called == "record_of_key":
                yield getattr(actions, name)
            case [_, ast.JoinedStr(values=[_, ast.Constant(value=verb)]), *_] if called == "_note":
                yield from (f"{noun}{verb}" for noun in ("account", "group"))
