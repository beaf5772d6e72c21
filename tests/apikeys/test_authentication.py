"""Authentication: which carriers are read, what each refusal tells, and what this path never does."""

import base64
import datetime

import pytest
import time_machine
from django.contrib.auth import hashers
from django.contrib.auth.models import User
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory
from structlog.contextvars import get_contextvars
from structlog.testing import capture_logs

from apikeys import actions, credentials, failures, keys, usage
from apikeys.authentication import (
    ApiKeyAuthentication,
    EarlyClaimAuthentication,
    TooManyFailuresError,
    claim_early,
    verify,
)
from apikeys.credentials import CredentialRefusedError
from apikeys.models import AuditEvent

REASONS = ["KEY_UNKNOWN", "KEY_SECRET_WRONG", "KEY_REVOKED", "KEY_EXPIRED", "KEY_DISABLED", "SERVICE_DISABLED"]
PATH = "/api/mlflow/api/2.0/mlflow/experiments/search"


def authenticate(**headers):
    return ApiKeyAuthentication().authenticate(Request(APIRequestFactory().get("/", headers=headers)))


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def refusal(headers):
    with pytest.raises(CredentialRefusedError) as caught:
        credentials.find(headers)
    return caught.value


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "ApiKey", "apikey", "Bearer  "])
def test_authenticate_authorization_scheme_in_any_case_is_accepted(reader, platform, scheme):
    assert authenticate(Authorization=f"{scheme} {reader.secret.text}") == (platform, reader.row)


def test_authenticate_x_api_key_is_accepted(reader, platform):
    assert authenticate(**{"X-API-Key": reader.secret.text}) == (platform, reader.row)


def test_authenticate_same_key_twice_is_one_credential(reader, bearer):
    _, key = authenticate(**bearer(reader), **{"X-API-Key": reader.secret.text})
    assert key == reader.row


def test_authenticate_two_good_keys_are_refused(reader, writer, bearer):
    with pytest.raises(AuthenticationFailed, match="Two different credentials"):
        authenticate(**bearer(reader), **{"X-API-Key": writer.secret.text})


def test_authenticate_good_key_with_empty_second_one_is_refused(reader, bearer):
    with pytest.raises(AuthenticationFailed, match="Two different credentials"):
        authenticate(**bearer(reader), **{"X-API-Key": ""})


def test_authenticate_binds_service_and_public_id_to_the_log(stranger, bearer):
    authenticate(**bearer(stranger))
    assert get_contextvars() == {"service": "batch", "api_key": stranger.row.public_id}


def test_authenticate_refused_binds_nothing(refused, bearer):
    with pytest.raises(CredentialRefusedError):
        authenticate(**bearer(refused["KEY_REVOKED"]))
    assert not get_contextvars()


def test_authenticate_challenge_is_bearer_and_never_basic():
    assert ApiKeyAuthentication().authenticate_header(None) == "Bearer"


@pytest.mark.parametrize("user", ["platform", "__token__"])
def test_basic_auth_forms_service_or_token_with_key_as_password_is_accepted(reader, user):
    _, key = authenticate(Authorization=basic(user, reader.secret.text))
    assert key == reader.row


def test_basic_auth_forms_scheme_in_lower_case_is_accepted(reader):
    _, key = authenticate(Authorization=basic("platform", reader.secret.text).replace("Basic", "basic"))
    assert key == reader.row


@pytest.mark.parametrize("user", ["batch", "Platform", "platform ", "__TOKEN__", "admin", "plat\x00form"])
def test_basic_auth_forms_another_user_is_refused(reader, user):
    with pytest.raises(CredentialRefusedError) as caught:
        authenticate(Authorization=basic(user, reader.secret.text))
    assert (caught.value.reason, caught.value.public_id) == ("BASIC_USER_MISMATCH", reader.row.public_id)


def test_basic_auth_forms_user_is_judged_beside_an_equal_x_api_key(reader):
    headers = {"Authorization": basic("batch", reader.secret.text), "X-API-Key": reader.secret.text}
    with pytest.raises(CredentialRefusedError):
        authenticate(**headers)


def test_basic_auth_forms_key_as_user_name_is_refused(reader):
    with pytest.raises(CredentialRefusedError):
        authenticate(Authorization=basic(reader.secret.text, ""))


def test_basic_auth_forms_password_is_all_after_the_first_colon():
    assert credentials.find({"Authorization": basic("platform", "a:b:c")}) == ("platform", "a:b:c")


@pytest.mark.parametrize(
    "encoded",
    ["", "%%%", "YQ", "Zm9v", "/////w==", base64.b64encode(b":password").decode(), "ä", "YTpi YTpi"],
)
def test_basic_auth_forms_malformed_is_refused(encoded):
    assert refusal({"Authorization": f"Basic {encoded}"}).reason == "BASIC_MALFORMED"


@pytest.mark.parametrize("value", ["", "   ", "Digest abc", "Token abc", "Bearerabc", "\x00"])
def test_malformed_credential_unknown_scheme_is_refused(value):
    assert refusal({"Authorization": value}).reason == "SCHEME_UNKNOWN"


@given(st.text(st.characters(max_codepoint=255), max_size=600))
def test_malformed_credential_any_authorization_is_read_or_refused(value):
    try:
        user, text = credentials.find({"Authorization": value})
    except CredentialRefusedError:
        return
    assert isinstance(user, str)
    assert isinstance(text, str)


@given(st.text(max_size=300))
def test_malformed_credential_any_text_is_refused_without_a_database(text):
    with pytest.raises(CredentialRefusedError) as caught:
        verify(text)
    assert caught.value.reason == "KEY_MALFORMED"


def test_malformed_credential_megabyte_is_refused_unread(forbid):
    forbid(keys, "parse")
    with pytest.raises(CredentialRefusedError):
        verify("a" * 257)


def test_malformed_credential_megabyte_of_basic_is_refused_undecoded(forbid):
    forbid(base64, "b64decode")
    assert refusal({"Authorization": "Basic " + "QTpC" * 2**18}).reason == "BASIC_MALFORMED"


def test_malformed_credential_is_never_digested(forbid):
    forbid(keys, "digest")
    with pytest.raises(CredentialRefusedError):
        verify(keys.mint("live").text[:-1] + "-")


@pytest.mark.parametrize("raw", ["\xff\xfe", "Bearer \x80\x81", "Bearer 🔑", "Basic \xa7\xa7", "Bearer", "a" * 2**20])
def test_malformed_credential_over_the_wire_is_401(portal, db, raw):
    assert portal.get(PATH, headers={"Authorization": raw}).status_code == 401


def test_find_credential_without_any_says_where_it_looked():
    caught = refusal({})
    assert caught.reason == "KEY_MISSING"
    for carrier in ("Authorization: Bearer", "Authorization: ApiKey", "X-API-Key", "Basic"):
        assert carrier in str(caught.detail)


def test_find_credential_key_in_the_query_is_not_looked_at(portal, reader):
    assert portal.get(f"{PATH}?api_key={reader.secret.text}").status_code == 401


@pytest.mark.parametrize("reason", REASONS)
def test_verify_refusal_gives_the_precise_reason_to_the_log(refused, reason):
    with pytest.raises(CredentialRefusedError) as caught:
        verify(refused[reason].secret.text)
    assert (caught.value.reason, caught.value.public_id) == (reason, refused[reason].secret.public_id)


def test_verify_without_the_secret_learns_no_reason(refused):
    from tests.apikeys.conftest import forge  # noqa: PLC0415

    for reason in REASONS[1:]:
        with pytest.raises(CredentialRefusedError) as caught:
            verify(forge(refused[reason].row.public_id).text)
        assert caught.value.reason == "KEY_SECRET_WRONG"


def test_verify_old_pepper_still_verifies_after_a_new_one(reader, settings):
    settings.HOKUSAI_KEY_PEPPERS = settings.HOKUSAI_KEY_PEPPERS | {9: b"z" * 32}
    assert verify(reader.secret.text) == reader.row


def test_verify_pepper_of_another_value_refuses(reader, settings):
    settings.HOKUSAI_KEY_PEPPERS = dict.fromkeys(settings.HOKUSAI_KEY_PEPPERS, b"z" * 32)
    with pytest.raises(CredentialRefusedError):
        verify(reader.secret.text)


def test_verify_pepper_missing_is_the_operators_fault_and_no_401(portal, reader, bearer, settings):
    settings.HOKUSAI_KEY_PEPPERS = {9: b"z" * 32}
    response = portal.get(PATH, headers=bearer(reader))
    assert response.status_code != 401
    assert response.json()["reason"] == "PEPPER_MISSING"


def test_verify_unknown_id_costs_a_digest_too(db, monkeypatch):
    digested = []
    original = keys.digest
    monkeypatch.setattr(keys, "digest", lambda *args: digested.append(args) or original(*args))
    with pytest.raises(CredentialRefusedError):
        verify(keys.mint("live").text)
    assert len(digested) == 1


@pytest.mark.parametrize("shift", [-300, 300])
@pytest.mark.parametrize(("seconds", "is_good"), [(-1, False), (200, True)])
def test_expiry_and_rotation_clock_of_the_app_decides_nothing(portal, reader, ends_in, bearer, shift, seconds, is_good):
    ends_in(reader, seconds)
    with time_machine.travel(datetime.datetime.now(tz=datetime.UTC) + datetime.timedelta(seconds=shift)):
        response = portal.get("/api/mlflow/no/such/route", headers=bearer(reader))
    assert response.status_code == (404 if is_good else 401)


@pytest.mark.parametrize("reason", REASONS)
def test_refusal_indistinguishable_status_headers_and_body(portal, refused, bearer, reason):
    seen = [answer_to(portal, bearer(refused[word])) for word in (reason, "KEY_UNKNOWN")]
    assert seen[0] == seen[1]


def test_refusal_indistinguishable_malformed_key_reads_the_same(portal, refused, bearer):
    malformed = answer_to(portal, {"Authorization": "Bearer hunter2"})
    assert malformed == answer_to(portal, bearer(refused["KEY_REVOKED"]))


def answer_to(portal, headers):
    response = portal.get(PATH, headers=headers)
    fields = {name: value for name, value in response.headers.items() if name != "X-Request-ID"}
    body = response.content.replace(response["X-Request-ID"].encode(), b"")
    return response.status_code, fields, body


@pytest.mark.parametrize("reason", REASONS)
def test_refusal_indistinguishable_by_queries(refused, django_assert_num_queries, reason):
    with django_assert_num_queries(1), pytest.raises(CredentialRefusedError):
        verify(refused[reason].secret.text)


@pytest.mark.parametrize("reason", REASONS)
def test_refusal_is_logged_with_reason_and_public_id_alone(portal, refused, bearer, reason):
    with capture_logs() as logs:
        portal.get(PATH, headers=bearer(refused[reason]))
    (line,) = (line for line in logs if line["event"] == "credential_refused")
    assert (line["reason"], line["api_key"]) == (reason, refused[reason].secret.public_id)


def test_refusal_is_the_documented_401(portal, refused, bearer):
    response = portal.get(PATH, headers=bearer(refused["KEY_EXPIRED"]))
    document = response.json()
    assert response.status_code == 401
    assert response["WWW-Authenticate"] == "Bearer"
    assert "no-store" in response["Cache-Control"]
    assert set(document) == {"error_code", "reason", "message", "detail", "request_id"}
    assert document["error_code"] == document["reason"] == "UNAUTHENTICATED"
    assert document["request_id"] == response["X-Request-ID"]


def test_success_costs_one_query_and_no_write(reader, bearer, django_assert_num_queries):
    with django_assert_num_queries(1) as captured:
        authenticate(**bearer(reader))
    assert captured[0]["sql"].startswith("SELECT")


def test_success_is_never_remembered(reader, bearer, django_assert_num_queries):
    with django_assert_num_queries(3):
        for _ in range(3):
            authenticate(**bearer(reader))


def test_success_records_the_use_in_memory_alone(reader, bearer):
    authenticate(**bearer(reader), **{"User-Agent": "mlflow/3"})
    reader.row.refresh_from_db()
    assert reader.row.last_used_at is None
    assert usage._pending[reader.row.pk].agent == "mlflow/3"


def test_refusal_records_no_use(refused, bearer):
    with pytest.raises(CredentialRefusedError):
        authenticate(**bearer(refused["KEY_EXPIRED"]))
    assert not usage._pending


def test_refusal_writes_nothing(portal, refused, bearer):
    events = AuditEvent.objects.count()
    portal.get(PATH, headers=bearer(refused["KEY_SECRET_WRONG"]))
    assert AuditEvent.objects.count() == events


@pytest.mark.parametrize("path", [PATH, "/api/v1/keys/validate", "/mlflow"])
def test_staff_password_on_api_calls_no_hasher(portal, db, settings, forbid, path):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    User.objects.create_superuser("root", "", "correct horse")
    forbid(hashers, "check_password", "verify_password", "make_password")
    forbid(hashers.MD5PasswordHasher, "encode")
    assert portal.get(path, headers={"Authorization": basic("root", "correct horse")}).status_code == 401


@pytest.fixture
def staff(portal, db):
    portal.force_login(User.objects.create(username="root", is_staff=True, is_superuser=True))
    return portal


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_cookie_and_key_session_alone_is_401(staff, method):
    assert staff.generic(method, PATH).status_code == 401


def test_cookie_and_key_bad_key_is_401_despite_the_cookie(staff, refused, bearer):
    assert staff.get(PATH, headers=bearer(refused["KEY_REVOKED"])).status_code == 401


def test_cookie_and_key_good_key_is_the_only_identity(staff, reader, bearer):
    with capture_logs() as logs:
        response = staff.get("/api/mlflow/no/such/route", headers=bearer(reader))
    assert response.status_code == 404
    assert "root" not in str(logs)


def test_cookie_and_key_session_is_not_read_on_the_proxy(staff, reader, bearer, django_assert_num_queries):
    with django_assert_num_queries(1):
        staff.get("/api/mlflow/no/such/route", headers=bearer(reader))


@pytest.mark.parametrize("end", ["revoke", "disable"])
def test_revocation_holds_on_the_next_request(portal, stranger, batch, actor, bearer, end):
    assert portal.get("/api/mlflow/no/such/route", headers=bearer(stranger)).status_code == 404
    if end == "revoke":
        actions.revoke_key(key=stranger.row, reason="lost", actor=actor)
    else:
        actions.disable_service(service=batch, reason="audit", actor=actor)
    assert portal.get("/api/mlflow/no/such/route", headers=bearer(stranger)).status_code == 401


def test_revocation_is_undone_by_nobody(portal, reader, actor, bearer, platform):
    actions.revoke_key(key=reader.row, reason="lost", actor=actor)
    actions.disable_service(service=platform, reason="audit", actor=actor)
    actions.enable_service(service=platform, actor=actor)
    assert portal.get(PATH, headers=bearer(reader)).status_code == 401


def environ_of(**headers):
    return APIRequestFactory().get(PATH, headers=headers).META


def early(environ):
    """Authenticate by what was claimed alone."""
    for variable in ("HTTP_AUTHORIZATION", "HTTP_X_API_KEY"):
        environ.pop(variable, None)
    request = APIRequestFactory().get(PATH)
    request.META = environ
    return EarlyClaimAuthentication().authenticate(Request(request))


@pytest.mark.parametrize("header", ["Authorization", "X-API-Key"])
def test_early_claim_is_taken_over_without_a_look_at_the_headers(reader, platform, bearer, header):
    environ = environ_of(**(bearer(reader) if header == "Authorization" else {header: reader.secret.text}))
    claim_early(environ)
    assert early(environ) == (platform, reader.row)
    # It is good for one call.
    with pytest.raises(CredentialRefusedError, match="No API key found"):
        early(environ)


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({}, "KEY_MISSING"),
        ({"Authorization": "Bearer none"}, "KEY_MALFORMED"),
        ({"Authorization": "Digest x"}, "SCHEME_UNKNOWN"),
        ({"Authorization": "Basic !"}, "BASIC_MALFORMED"),
        ({"Authorization": "Bearer a", "X-API-Key": "b"}, "CREDENTIALS_DIFFER"),
    ],
)
def test_what_is_no_claim_is_refused_in_its_turn_without_the_database(headers, reason):
    assert claim_early(environ_of(**headers)) is None
    with pytest.raises(CredentialRefusedError) as caught:
        authenticate(**headers)
    assert caught.value.reason == reason


def test_early_claim_of_one_who_failed_too_often_asks_nothing(reader, bearer, django_assert_num_queries, monkeypatch):
    monkeypatch.setattr(failures, "is_paced", lambda *_: True)
    with django_assert_num_queries(0):
        assert claim_early(environ_of(**bearer(reader))) is None
        with pytest.raises(TooManyFailuresError):
            authenticate(**bearer(reader))


def test_early_claim_is_judged_as_any_other(refused):
    for reason in REASONS:
        environ = environ_of(Authorization=f"Bearer {refused[reason].secret.text}")
        claim_early(environ)
        with pytest.raises(CredentialRefusedError) as caught:
            early(environ)
        assert caught.value.reason == reason


def test_early_claim_knows_the_user_of_basic(reader, platform):
    for user, is_good in (("__token__", True), ("platform", True), ("another", False)):
        environ = environ_of(Authorization=basic(user, reader.secret.text))
        claim_early(environ)
        if is_good:
            assert early(environ) == (platform, reader.row)
        else:
            with pytest.raises(CredentialRefusedError):
                early(environ)
