"""Keys over REST: what a key says, who may do what with it, and that its secret is shown once."""

import datetime

import pytest
from django.db import OperationalError
from structlog.testing import capture_logs

from apikeys import actions, keys, trail
from apikeys.models import ApiKey, AuditEvent, database_now
from tests.apikeys.api.conftest import is_good, reason, refused_fields

DRAFT = {"name": "ci", "scopes": ["mlflow:read"]}


def test_list_is_a_page_of_keys_without_secrets(operator, reader):
    document = operator.get("/keys").json()
    assert set(document) == {"results", "next", "previous"}
    (row,) = (row for row in document["results"] if row["key_id"] == reader.row.public_id)
    assert row["status"] == "active"
    assert row["created_at"].endswith("+00:00")
    assert not {"digest", "secret", "pepper_number", "idempotency_digest"} & set(row)
    assert reader.secret.text[20:] not in str(document)


def test_list_of_a_service_key_holds_its_service_alone(caller, reader, stranger):
    rows = caller("key reader", "batch").get("/keys").json()["results"]
    assert {row["service_id"] for row in rows} == {"batch"}


def test_pages_follow_each_other_and_lose_nothing(operator, issue):
    expected = [issue(name=str(number)).row.public_id for number in range(5)][::-1]
    found, address = [], "/keys?page_size=2&search=hk_"
    while address:
        page = operator.get(address.partition("/api/v1")[2] or address)
        found += [row["key_id"] for row in page.json()["results"]]
        address = page.json()["next"]
        assert ('rel="next"' in page.get("Link", "")) == bool(address)
    assert found[:5] == expected
    assert len(found) == len(set(found)) == ApiKey.objects.count()


@pytest.mark.parametrize("cursor", ["x", "cD1hYmM=", "cD05OTk5OTk5OTk5OTk5OTk5OTk5OTk5", "cD0=", "bz0tMQ=="])
def test_cursor_of_somebody_s_own_making_is_404(operator, cursor):
    assert reason(operator.get(f"/keys?cursor={cursor}")) == "NOT_FOUND"


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("service=batch", {"stranger"}),
        ("status=revoked", {"lost"}),
        ("scope=artifact:delete", set()),
        ("scope=artifact:read&service=platform", {"old-one", "lost"}),
        # The hyphen: any two letters may be in the random id of another key, too.
        ("search=d-o", {"old-one"}),
        ("owner=Data", {"stranger"}),
    ],
)
def test_list_is_narrowed_down(operator, issue, stranger, batch, actor, query, names):
    actions.change_service(service=batch, owner="Data", actor=actor)
    issue(name="old-one")
    actions.revoke_key(key=issue(name="lost").row, reason="lost", actor=actor)
    rows = operator.get(f"/keys?{query}").json()["results"]
    assert {row["name"] for row in rows} - {"operator"} == names


def test_list_is_narrowed_down_by_times(operator, issue):
    short, day = issue(name="short", expires_in_days=1), datetime.timedelta(days=2)
    ApiKey.objects.exclude(pk=short.row.pk).update(last_used_at=database_now())
    before = (database_now() + day).isoformat().replace("+", "%2B")
    assert [row["name"] for row in operator.get(f"/keys?expires_before={before}").json()["results"]] == ["short"]
    since = (database_now() - day).isoformat().replace("+", "%2B")
    assert [row["name"] for row in operator.get(f"/keys?used_before={since}").json()["results"]] == ["short"]


@pytest.mark.parametrize("query", ["colour=red", "page_size=0", "page_size=201", "status=good", "service=a&service=b"])
def test_query_that_is_not_known_is_400(operator, query):
    assert refused_fields(operator.get(f"/keys?{query}")) == {query.partition("=")[0]}


def test_list_for_the_predecessor_s_clients_is_an_array(operator, reader, actor):
    actions.revoke_key(key=reader.row, reason="lost", actor=actor)
    rows = operator.get("/keys?service_id=platform&active_only=true").json()
    assert [row["id"] for row in rows] == [operator.issued.row.public_id]
    assert datetime.datetime.fromisoformat(rows[0]["expires_at"]) == operator.issued.row.expires_at


def test_key_is_shown_with_its_place_in_a_rotation(operator, reader, actor):
    successor = actions.rotate_key(key=reader.row, actor=actor).row
    old, new = (operator.get(f"/keys/{row.public_id}").json() for row in (reader.row, successor))
    assert (old["status"], old["rotated_to"], old["grace_ends_at"]) == (
        "in grace",
        successor.public_id,
        old["expires_at"],
    )
    assert (new["rotated_from"], new["rotated_to"], new["grace_ends_at"]) == (reader.row.public_id, None, None)


def test_show_once_created_key_works_and_is_nowhere_else(operator, portal):
    with capture_logs() as logs:
        response = operator.post("/keys", DRAFT)
    document = response.json()
    secret = document["secret"]
    assert (response.status_code, response["Cache-Control"]) == (201, "no-store")
    assert keys.parse(secret).public_id == document["key_id"]
    assert secret == document["api_key"]
    assert document["key_info"]["key_id"] == document["id"] == document["key_id"]
    assert secret[20:] not in str(logs) + str(operator.get("/keys").json()) + str(list(AuditEvent.objects.values()))
    assert is_good(portal, secret)


def test_created_key_is_the_caller_s_in_the_trail(operator):
    public_id = operator.post("/keys", DRAFT).json()["key_id"]
    event = AuditEvent.objects.get(action="api_key_issued", object_id=public_id)
    assert event.actor == operator.issued.row.public_id


def test_created_key_belongs_to_the_caller_s_service(keeper):
    assert keeper.post("/keys", DRAFT).json()["service_id"] == "batch"


def test_operator_of_the_platform_issues_for_any_service(operator, batch):
    assert operator.post("/keys", DRAFT | {"service_id": "batch"}).json()["service_id"] == "batch"


def test_preset_and_scopes_are_put_together(operator):
    document = operator.post("/keys", {"name": "ci", "preset": "contributor", "scopes": ["audit:read"]}).json()
    assert document["scopes"] == ["artifact:write", "audit:read", "mlflow:write", "model:write"]


def test_scopes_left_out_are_the_service_s(operator, platform, actor):
    assert reason(operator.post("/keys", {"name": "ci"})) == "STATE_REFUSED"
    actions.change_service(service=platform, default_scopes=["model:read"], actor=actor)
    assert operator.post("/keys", {"name": "ci"}).json()["scopes"] == ["model:read"]


def test_words_of_the_predecessor_are_read_and_told(operator):
    sent = {"name": "cli", "scopes": ["model:read", "mlflow:access", "train"], "billing_plan": "gold"}
    document = operator.post("/keys", sent).json()
    assert document["scopes"] == ["artifact:write", "mlflow:write", "model:read", "model:write"]
    assert len(document["warnings"]) == 3


@pytest.mark.parametrize("service_id", ["platform", "nobody"], ids=["foreign service", "unknown service"])
def test_key_api_mass_assignment_foreign_service_is_404(keeper, service_id):
    response = keeper.post("/keys", DRAFT | {"service_id": service_id})
    assert (response.status_code, reason(response)) == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    "field",
    [
        *("service", "is_active", "digest", "created_by", "expires_at", "public_id", "lineage", "secret", "id"),
        *("pepper_number", "predecessor", "environment_", "__proto__"),
    ],
)
def test_key_api_mass_assignment_unknown_field_is_400(operator, field):
    before = ApiKey.objects.count()
    assert refused_fields(operator.post("/keys", DRAFT | {field: "x"})) == {field}
    assert ApiKey.objects.count() == before


def test_expires_at_of_the_old_client_is_told_what_to_send(operator):
    assert "expires_in_days" in operator.post("/keys", DRAFT | {"expires_at": "+90"}).json()["detail"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("name", ""), ("name", "  "), ("name", 1), ("name", "x" * 101), ("name", None), ("name", "a\x00b")),
        *(("scopes", "mlflow:read"), ("scopes", ["root"]), ("scopes", [1]), ("preset", "king")),
        *(("expires_in_days", 0), ("expires_in_days", 366), ("expires_in_days", "9"), ("expires_in_days", True)),
        *(("rate_limit_per_hour", 9), ("rate_limit_per_hour", 1.5), ("rate_limit_per_hour", 10**9)),
        ("allowed_ips", ["10.0.0.1"] * 101),
        *(("allowed_ips", ["nonsense"]), ("allowed_ips", ["10.0.0.1/8"]), ("allowed_ips", "10.0.0.1")),
        *(("environment", "prod"), ("note", "x" * 501)),
    ],
)
def test_created_key_with_a_bad_value_is_400(operator, field, value):
    found = refused_fields(operator.post("/keys", DRAFT | {field: value}))
    assert {name.partition(".")[0] for name in found} == {field}


def test_note_that_holds_a_key_is_refused_and_not_repeated(operator, reader):
    response = operator.post("/keys", DRAFT | {"note": f"was {reader.secret.text}"})
    assert refused_fields(response) == {"note"}
    assert reader.secret.text[20:] not in response.content.decode()


@pytest.mark.parametrize("body", ["[]", "{", '{"name": "a", "name": "b"}', "[" * 100_000, '{"name": NaN}', "\xff"])
def test_body_that_is_not_one_object_is_400(operator, body):
    response = operator.client.post(
        "/api/v1/keys", body.encode("latin-1"), content_type="application/json", headers=operator.headers
    )
    assert (response.status_code, reason(response)) == (400, "PARSE_ERROR")


def test_body_that_is_too_large_is_413(operator):
    response = operator.post("/keys", DRAFT | {"note": "x" * 1024**2})
    assert (response.status_code, reason(response)) == (413, "BODY_TOO_LARGE")


@pytest.mark.parametrize("body", ['{"\\ud800": 1}', '{"name": "ci", "scopes": ["\\udfff"]}'])
def test_body_with_half_a_character_is_400(operator, body):
    response = operator.client.post("/api/v1/keys", body, content_type="application/json", headers=operator.headers)
    assert (response.status_code, reason(response)) == (400, "PARSE_ERROR")


def test_form_is_415_and_html_is_406(operator):
    form = operator.client.post("/api/v1/keys", {"name": "ci"}, headers=operator.headers)
    assert (form.status_code, reason(form)) == (415, "UNSUPPORTED_MEDIA_TYPE")
    page = operator.get("/keys", Accept="text/html")
    assert (page.status_code, reason(page)) == (406, "NOT_ACCEPTABLE")


def test_method_that_no_key_has_is_405_with_those_it_has(operator, reader):
    response = operator.ask("PUT", f"/keys/{reader.row.public_id}", {})
    assert (response.status_code, reason(response)) == (405, "METHOD_NOT_ALLOWED")
    assert response["Allow"] == "GET, HEAD, PATCH, DELETE"


def test_grant_is_no_more_than_the_caller_holds(keeper):
    response = keeper.post("/keys", {"name": "ci", "scopes": ["model:read", "artifact:read", "model:delete"]})
    assert (response.status_code, reason(response)) == (403, "GRANT_EXCEEDED")
    assert response.json()["excess"] == ["artifact:read", "model:delete"]


@pytest.mark.parametrize(
    ("networks", "status"), [(["192.0.2.0/25"], 201), (["192.0.2.0/23"], 403), ([], 403), (["2001:db8::/32"], 403)]
)
def test_grant_stays_within_the_caller_s_networks(caller, networks, status):
    bound = caller("operator", allowed_ips=["127.0.0.0/8", "192.0.2.0/24"])
    assert bound.post("/keys", DRAFT | {"allowed_ips": networks}).status_code == status


@pytest.mark.parametrize(("rate", "status"), [(100, 201), (101, 403), (None, 403)])
def test_grant_stays_within_the_caller_s_rate(caller, rate, status):
    bound = caller("operator", rate_limit_per_hour=100)
    assert bound.post("/keys", DRAFT | {"rate_limit_per_hour": rate}).status_code == status


def test_key_does_not_raise_its_own_limit(caller):
    bound = caller("operator", rate_limit_per_hour=100)
    response = bound.patch(f"/keys/{bound.issued.row.public_id}", {"rate_limit_per_hour": None})
    assert (response.status_code, reason(response)) == (403, "GRANT_EXCEEDED")


@pytest.mark.parametrize("verb", ["", "/rotate", "/revoke", "/disable", "/enable"])
def test_foreign_ids_are_those_of_nobody(keeper, reader, verb):
    sent = {} if verb in {"/rotate", ""} else {"reason": "why"}
    method = "POST" if verb else "GET"
    foreign, unknown = (
        keeper.ask(method, f"/keys/{name}{verb}", sent) for name in (reader.row.public_id, "hk_live_000000000000")
    )
    documents = [reply.json() | {"request_id": ""} for reply in (foreign, unknown)]
    assert foreign.status_code == unknown.status_code == 404
    assert documents[0] == documents[1]


def test_change_of_name_note_and_limits_is_written_with_its_event(operator, reader):
    sent = {"name": "new", "note": "Why", "allowed_ips": ["192.0.2.7"], "rate_limit_per_hour": 50}
    document = operator.patch(f"/keys/{reader.row.public_id}", sent).json()
    assert {name: document[name] for name in sent} == sent | {"allowed_ips": ["192.0.2.7/32"]}
    assert AuditEvent.objects.filter(action="api_key_changed", object_id=reader.row.public_id).count() == 1


@pytest.mark.parametrize("field", ["scopes", "service_id", "key_id", "expires_at", "environment", "status", "secret"])
def test_change_of_what_stays_for_good_is_400(operator, reader, field):
    assert refused_fields(operator.patch(f"/keys/{reader.row.public_id}", {field: "x"})) == {field}


def test_rotation_shows_the_successor_s_secret_once(operator, issue, portal):
    old = issue(words=["mlflow:read"])
    response = operator.post(f"/keys/{old.row.public_id}/rotate", {"grace_seconds": 3600})
    document = response.json()
    assert (response.status_code, response["Cache-Control"]) == (201, "no-store")
    assert document["rotated_from"] == old.row.public_id
    for secret in (old.secret.text, document["secret"]):
        assert is_good(portal, secret)
    again = operator.post(f"/keys/{old.row.public_id}/rotate")
    assert (again.status_code, reason(again)) == (409, "ALREADY_ROTATED")
    assert document["key_id"] in again.json()["detail"]


@pytest.mark.parametrize("grace", [-1, 604801, "3600", None, 0.5])
def test_rotation_with_a_bad_grace_is_400(operator, reader, grace):
    assert refused_fields(operator.post(f"/keys/{reader.row.public_id}/rotate", {"grace_seconds": grace})) == {
        "grace_seconds"
    }


def test_rotation_of_a_key_that_holds_more_is_403(keeper, issue, batch):
    mighty = issue(service=batch, words=["artifact:delete"])
    response = keeper.post(f"/keys/{mighty.row.public_id}/rotate")
    assert (response.status_code, reason(response)) == (403, "GRANT_EXCEEDED")


def test_revocation_holds_from_the_next_request_on(operator, reader, portal):
    path = f"/keys/{reader.row.public_id}/revoke"
    assert operator.post(path, {"reason": "leaked"}).json()["status"] == "revoked"
    assert not is_good(portal, reader.secret.text)
    again = operator.post(path, {"reason": "leaked"})
    assert (again.status_code, reason(again)) == (409, "ALREADY_REVOKED")


def test_delete_revokes_and_removes_nothing(operator, reader):
    response = operator.ask("DELETE", f"/keys/{reader.row.public_id}")
    assert (response.status_code, list(response.json())) == (200, ["message"])
    assert ApiKey.objects.get(pk=reader.row.pk).is_revoked


def test_pause_and_its_end(operator, reader):
    path = f"/keys/{reader.row.public_id}"
    assert operator.post(f"{path}/disable", {"reason": "holiday"}).json()["status"] == "disabled"
    assert reason(operator.post(f"{path}/disable", {"reason": "holiday"})) == "STATE_REFUSED"
    assert operator.post(f"{path}/enable").json()["status"] == "active"


@pytest.mark.parametrize("verb", ["revoke", "disable"])
@pytest.mark.parametrize("sent", [{}, {"reason": ""}, {"reason": "  "}, {"reason": 1}, {"reason": "x" * 501}])
def test_end_without_a_reason_is_400(operator, reader, verb, sent):
    assert refused_fields(operator.post(f"/keys/{reader.row.public_id}/{verb}", sent)) == {"reason"}


@pytest.mark.parametrize("path", ["/keys", "/keys/", "/services", "/services/"])
def test_address_is_answered_with_and_without_its_last_slash(operator, path):
    assert operator.get(path).status_code == 200


def test_reply_tells_the_rate_of_the_key(caller):
    response = caller("operator", rate_limit_per_hour=10).get("/keys")
    assert (response["X-RateLimit-Limit"], response["X-RateLimit-Remaining"]) == ("10", "9")
    assert response["RateLimit-Policy"].startswith('"key";q=10')


def test_rate_of_the_key_is_shared_with_its_calls_to_mlflow(caller):
    bound = caller("operator", rate_limit_per_hour=10)
    replies = [bound.get("/keys") for _ in range(11)]
    assert [reply.status_code for reply in replies] == [200] * 10 + [429]
    assert reason(replies[-1]) == "RATE_EXCEEDED"
    assert int(replies[-1]["Retry-After"]) > 0


def test_too_many_open_calls_are_429(operator, settings):
    settings.HOKUSAI_KEY_CONCURRENCY = 0
    response = operator.get("/keys")
    assert (response.status_code, reason(response)) == (429, "CONCURRENCY_EXCEEDED")


def test_address_that_the_key_does_not_name_is_403(caller):
    response = caller("operator", allowed_ips=["192.0.2.0/24"]).get("/keys")
    assert (response.status_code, reason(response)) == (403, "ADDRESS_REFUSED")


def test_type_of_a_problem_leads_to_the_page_of_errors(operator, settings):
    settings.HOKUSAI_PUBLIC_URL = "https://portal.example.com/"
    assert operator.get("/keys/x").json()["type"] == "https://portal.example.com/api/docs/errors#NOT_FOUND"


def test_staff_names_the_service_to_issue_for(caller):
    staff = caller("administrator", "")
    assert refused_fields(staff.post("/keys", DRAFT)) == {"service_id"}
    assert staff.post("/keys", DRAFT | {"service_id": "batch"}).json()["created_by"] == "administrator"


def test_session_of_staff_writes_with_its_csrf_token_alone(caller):
    staff = caller("administrator", "")
    staff.client.handler.enforce_csrf_checks = True
    response = staff.post("/services", {"service_id": "night"})
    assert (response.status_code, reason(response)) == (403, "CSRF_FAILED")
    # Somebody else's page has asked.
    assert not AuditEvent.objects.filter(action="admin_denied").exists()
    token = staff.client.get("/admin/apikeys/service/add/").cookies["csrftoken"].value
    assert staff.post("/services", {"service_id": "night"}, X_CSRFToken=token).status_code == 201
    assert staff.get("/services").status_code == 200


def test_cookie_and_key_a_bad_key_is_401_despite_the_session(caller):
    assert caller("administrator", "").get("/keys", Authorization="Bearer nonsense").status_code == 401


def test_staff_password_on_api_is_401_without_a_hasher(caller, forbid):
    from django.contrib.auth import hashers  # noqa: PLC0415

    staff = caller("administrator", "")
    forbid(hashers, "verify_password")
    staff.client.logout()
    assert staff.get("/keys", Authorization="Basic YWRtaW5pc3RyYXRvcjpzZWNyZXQ=").status_code == 401


def test_key_issuer_of_the_platform_cannot_make_operators(caller, platform):
    """Such a key would act for every service, which its issuer may not."""
    issuer = caller("key issuer", "")
    platform.issuers.add(issuer.user)
    sent = {"name": "x", "service_id": "platform"}
    assert issuer.post("/keys", sent | {"scopes": ["mlflow:read"]}).status_code == 201
    response = issuer.post("/keys", sent | {"scopes": ["key:write"]})
    assert (response.status_code, reason(response)) == (403, "GRANT_EXCEEDED")


def test_refusal_to_staff_that_cannot_be_recorded_is_a_503(caller, monkeypatch):
    def fail(**facts):
        raise OperationalError("read only")

    monkeypatch.setattr(trail, "record_denial", fail)
    response = caller("viewer", "").post("/services", {"service_id": "night"})
    assert (response.status_code, reason(response)) == (503, "DATABASE_UNAVAILABLE")
