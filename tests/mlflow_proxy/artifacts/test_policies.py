"""A bucket's policy and lifecycle: what closes plain http for our prefix, and what only seems to."""

import pytest

from mlflow_proxy.artifacts import policies

ALL = ["arn:aws:s3:::registry", "arn:aws:s3:::registry/*"]
PLAIN = {"Bool": {"aws:SecureTransport": "false"}}
GOOD = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": ALL, "Condition": PLAIN}


def denies(*statements: object) -> bool:
    return policies.denies_plain_http({"Statement": list(statements)}, "registry", "artifacts/root")


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"Principal": {"AWS": "*"}},
        {"Principal": {"AWS": ["*"]}},
        {"Action": ["s3:*"]},
        {"Action": "*"},
        {"Resource": "arn:aws:s3:::registry/artifacts/*"},
        {"Resource": "arn:aws-cn:s3:::registry/*"},
        {"Resource": "*"},
        {"Condition": {"Bool": {"AWS:securetransport": ["false"]}}},
        {"Condition": {"Bool": {"aws:SecureTransport": False}}},
    ],
)
def test_statement_that_denies_everybody_plain_http_counts(change: dict[str, object]) -> None:
    assert denies(GOOD | change)


@pytest.mark.parametrize(
    "change",
    [
        {"Effect": "Allow"},
        {"Principal": {"AWS": "arn:aws:iam::111122223333:root"}},
        {"Action": "s3:GetObject"},
        {"Resource": "arn:aws:s3:::registry"},
        {"Resource": "arn:aws:s3:::another/*"},
        {"Resource": "arn:aws:s3:::registry/other/*"},
        {"Condition": {"Bool": {"aws:SecureTransport": "true"}}},
        {"Condition": PLAIN | {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}},
        {"Condition": {"Bool": {"aws:SecureTransport": "false", "aws:ViaAWSService": "false"}}},
        {"Condition": None},
    ],
)
def test_statement_that_leaves_a_way_open_does_not_count(change: dict[str, object]) -> None:
    assert not denies(GOOD | change)


def test_one_good_statement_among_others_is_enough() -> None:
    assert denies({"Effect": "Allow"}, GOOD)


def test_single_statement_may_stand_without_a_list() -> None:
    assert policies.denies_plain_http({"Statement": GOOD}, "registry", "")


def test_no_statement_denies_nothing() -> None:
    assert not policies.denies_plain_http({}, "registry", "")


def rule(days: int = 1, **change: object) -> dict[str, object]:
    abort = {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": days}}
    return {"Status": "Enabled", "Filter": {"Prefix": ""}} | abort | change


@pytest.mark.parametrize(
    ("rules", "days"),
    [
        ([rule()], 1),
        ([rule(7), rule(3)], 3),
        ([rule(Filter={})], 1),
        ([rule(Filter={"Prefix": "artifacts/"})], 1),
        ([rule(Filter={"Prefix": "artifacts/root/"})], 1),
        ([rule(Filter={"And": {"Prefix": "artifacts"}})], 1),
        ([{"Status": "Enabled", "Prefix": "", "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 2}}], 2),
        ([rule(Filter={"Prefix": "other/"})], None),
        ([rule(Filter={"Prefix": "artifacts/root/deeper"})], None),
        ([rule(Status="Disabled")], None),
        ([{"Status": "Enabled", "Filter": {}, "Expiration": {"Days": 1}}], None),
        ([], None),
    ],
)
def test_days_until_uploads_end_is_that_of_a_rule_for_our_prefix(
    rules: list[dict[str, object]], days: int | None
) -> None:
    assert policies.days_until_uploads_end(rules, "artifacts/root") == days


def version_rule(days: int = 1, **change: object) -> dict[str, object]:
    return {"Status": "Enabled", "Filter": {}, "NoncurrentVersionExpiration": {"NoncurrentDays": days}} | change


@pytest.mark.parametrize(
    ("rules", "days"),
    [
        ([version_rule(90), version_rule(1, Filter={"Prefix": "root/.canary"})], 1),
        ([version_rule(90, Filter={"Prefix": "root/"})], 90),
        ([version_rule(Filter={"Prefix": "root/.canary/one"})], None),
        ([version_rule(Status="Disabled")], None),
        ([rule()], None),
    ],
)
def test_days_until_versions_end_is_that_of_a_rule_for_all_that_begins_so(
    rules: list[dict[str, object]], days: int | None
) -> None:
    assert policies.days_until_versions_end(rules, "root/.canary") == days
