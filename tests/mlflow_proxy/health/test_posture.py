"""The bucket's set-up, read back: good and bad on moto, and not to be found out where a store says so."""

import datetime
import json
from typing import Any

import pytest

from mlflow_proxy.artifacts import stores
from mlflow_proxy.health import database, posture
from mlflow_proxy.health.answers import Probe
from tests.mlflow_proxy.health.conftest import BUCKET, PREFIX
from tests.mlflow_proxy.health.test_store import refusal
from tests.mlflow_proxy.stub import Answer, Seen, Stub, ok

DENY_HTTP = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
    ],
}
SETTINGS = ["bucket_versioning", "bucket_encryption", "bucket_public_access", "bucket_tls_only", "bucket_lifecycle"]


def answers() -> dict[str, Probe]:
    return {probe.name: probe for probe in posture.walk()}


def test_bare_bucket_is_told_what_it_lacks(bucket: Any) -> None:
    found = answers()
    assert {name: found[name].reason for name in SETTINGS} == {
        "bucket_versioning": "BUCKET_UNVERSIONED",
        "bucket_encryption": "BUCKET_UNENCRYPTED",
        "bucket_public_access": "BUCKET_OPENABLE",
        "bucket_tls_only": "BUCKET_WITHOUT_TLS",
        "bucket_lifecycle": "BUCKET_WITHOUT_LIFECYCLE",
    }
    assert all(found[name].hint for name in SETTINGS if not found[name].passed)


def test_bucket_set_up_as_advised_passes(bucket: Any) -> None:
    bucket.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    default = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}
    bucket.put_bucket_encryption(Bucket=BUCKET, ServerSideEncryptionConfiguration=default)
    flags = dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True)
    bucket.put_public_access_block(Bucket=BUCKET, PublicAccessBlockConfiguration=flags)
    rule = {"ID": "r", "Status": "Enabled", "Filter": {"Prefix": PREFIX}}
    rule |= {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1}}
    bucket.put_bucket_lifecycle_configuration(Bucket=BUCKET, LifecycleConfiguration={"Rules": [rule]})
    found = answers()
    del found["bucket_tls_only"]
    assert {probe.status for probe in found.values()} == {"passed"}
    assert found["bucket_lifecycle"].detail == "after 1 day"


@pytest.mark.parametrize(
    ("prefix", "told"),
    [
        (f"{PREFIX}/.hokusai-probe", "on; old versions of the canary end after 2 days"),
        (f"{PREFIX}/elsewhere", "on; every check leaves versions of the canary, and no lifecycle rule ends them"),
    ],
)
def test_versioning_says_what_becomes_of_the_canary(bucket: Any, prefix: str, told: str) -> None:
    bucket.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    rule = {"ID": "r", "Status": "Enabled", "Filter": {"Prefix": prefix}}
    rule |= {"NoncurrentVersionExpiration": {"NoncurrentDays": 2}}
    bucket.put_bucket_lifecycle_configuration(Bucket=BUCKET, LifecycleConfiguration={"Rules": [rule]})
    probe = answers()["bucket_versioning"]
    assert (probe.status, probe.detail) == ("passed", told)


def test_versioning_is_told_although_the_rules_may_not_be_read(s3_stub: Stub) -> None:
    def script(seen: Seen) -> Answer:
        enabled = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
        return Answer([ok(enabled) if seen.target.endswith("?versioning") else refusal("AccessDenied")])

    s3_stub.script = script
    assert (answers()["bucket_versioning"].status, answers()["bucket_versioning"].detail) == ("passed", "on")


def test_one_door_left_open_is_named(bucket: Any) -> None:
    flags = {"BlockPublicAcls": True, "IgnorePublicAcls": True, "BlockPublicPolicy": True}
    bucket.put_public_access_block(Bucket=BUCKET, PublicAccessBlockConfiguration=flags)
    assert answers()["bucket_public_access"].detail == "off: RestrictPublicBuckets"


def test_policy_against_http_does_not_help_a_portal_that_uses_http(bucket: Any) -> None:
    bucket.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps(DENY_HTTP))
    found = answers()["bucket_tls_only"]
    assert found.reason == "BUCKET_WITHOUT_TLS"
    assert "the portal itself uses http://" in found.detail


def test_policy_against_http_and_https_pass(bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps(DENY_HTTP))
    inspector = stores.inspector()
    monkeypatch.setattr(type(inspector), "endpoint", lambda _: "https://s3.example.org")
    assert answers()["bucket_tls_only"].passed


def test_policy_that_is_no_policy_denies_nothing(s3_stub: Stub) -> None:
    s3_stub.reply(ok(b"[1]"))
    assert answers()["bucket_tls_only"].reason == "BUCKET_WITHOUT_TLS"


def test_store_that_does_not_know_the_call_leaves_the_question_open(s3_stub: Stub) -> None:
    s3_stub.reply(refusal("NotImplemented", "501 Not Implemented"))
    found = answers()
    assert {found[name].status for name in SETTINGS} == {"unknown"}
    assert {found[name].reason for name in SETTINGS} == {"STORE_UNSUPPORTED"}
    assert "does not know this call" in found["bucket_public_access"].hint


def test_denied_reading_leaves_the_question_open_and_names_the_right(s3_stub: Stub) -> None:
    s3_stub.reply(refusal("AccessDenied"))
    found = answers()
    rights = {
        "bucket_versioning": "s3:GetBucketVersioning",
        "bucket_encryption": "s3:GetEncryptionConfiguration",
        "bucket_public_access": "s3:GetBucketPublicAccessBlock",
        "bucket_tls_only": "s3:GetBucketPolicy",
        "bucket_lifecycle": "s3:GetLifecycleConfiguration",
    }
    for name, right in rights.items():
        assert (found[name].status, found[name].reason) == ("unknown", "STORE_DENIED")
        assert f"{right} on arn:aws:s3:::{BUCKET}," in found[name].hint


def test_folder_has_no_posture(folder: Any) -> None:
    assert (posture.names(), list(posture.walk())) == ((), [])


def test_names_are_those_that_a_walk_answers(bucket: Any) -> None:
    assert list(posture.names()) == list(answers())


# Whose credentials, and the store's clock.


def test_credentials_of_variables_do_not_end(bucket: Any) -> None:
    probe = answers()["store_credentials"]
    assert (probe.status, probe.detail) == ("passed", "AWS_* variables; they do not end by themselves")


def test_credentials_of_a_session_token_are_told_to_end(bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "no-token-of-anybody")
    stores._store.cache_clear()
    assert answers()["store_credentials"].reason == "STORE_CREDENTIALS_TEMPORARY"


def test_credentials_of_a_task_role_say_until_when(s3_stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    ends_at = datetime.datetime.now(tz=datetime.UTC) + datetime.timedelta(hours=6)
    role = {"AccessKeyId": "a", "SecretAccessKey": "s", "Token": "t", "Expiration": ends_at.isoformat()}
    provider = Stub()
    provider.reply(ok(json.dumps(role).encode()))
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{provider.url}/role")
    try:
        probe = answers()["store_credentials"]
    finally:
        provider.stop()
    assert probe.detail == f"task role, which renews itself, now until {ends_at:%Y-%m-%d %H:%M} UTC"


def dated(seconds: float) -> str:
    at = database.now() + datetime.timedelta(seconds=seconds)
    return f"Date: {at:%a, %d %b %Y %H:%M:%S} GMT"


def test_clock_of_the_store_that_agrees_passes(s3_stub: Stub) -> None:
    s3_stub.reply(ok(b"<a/>", dated(0)))
    assert answers()["clock_store"].passed


@pytest.mark.parametrize(("seconds", "word"), [(600, "ahead"), (-600, "behind")])
def test_clock_of_the_store_that_differs_is_told(s3_stub: Stub, seconds: int, word: str) -> None:
    s3_stub.reply(ok(b"<a/>", dated(seconds)))
    probe = answers()["clock_store"]
    assert (probe.status, probe.reason) == ("failed", "CLOCK_SKEWED")
    assert f"s {word}" in probe.detail


def test_clock_is_read_off_the_refusal_for_its_skew(s3_stub: Stub) -> None:
    s3_stub.reply(ok(b"<Error><Code>RequestTimeTooSkewed</Code></Error>", dated(1200), status="403 Forbidden"))
    assert answers()["clock_store"].reason == "CLOCK_SKEWED"


def test_clock_that_the_store_does_not_tell_is_unknown(s3_stub: Stub) -> None:
    s3_stub.reply(ok(b"<a/>"))
    assert answers()["clock_store"].status == "unknown"
