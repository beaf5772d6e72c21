"""Storage health and the doctor on the real stack: what is good passes, and what is broken is named with its cure."""

import json
import re
from typing import Any

import pytest

from tests.live.conftest import Stack
from tests.live.processes import answers
from tests.live.stack import BUCKET, PREFIX, Mlflow, Portal

pytestmark = pytest.mark.live

CHECK = "import json; from mlflow_proxy.health import monitor; print(json.dumps(monitor.check('test').answers))"
# What SeaweedFS does not know, and what the test bucket is not set up for.
SET_UP = {"bucket_versioning", "bucket_encryption", "bucket_public_access", "bucket_tls_only", "bucket_lifecycle"}


def check(portal: Portal, **environment: str) -> dict[str, dict[str, Any]]:
    """Return the answers of a check in the portal's environment, by name."""
    printed = portal.manage("shell", "-v0", "-c", CHECK, **environment)
    return {answer["name"]: answer for answer in json.loads(printed.splitlines()[-1])}


@pytest.fixture(params=["local_direct", "s3_direct", "s3"])
def checked(request: pytest.FixtureRequest, stack: Stack) -> dict[str, dict[str, Any]]:
    return check(getattr(stack, request.param))


def test_everything_that_transfers_need_passes(checked: dict[str, dict[str, Any]]) -> None:
    about_settings = SET_UP | {"artifact_destination"}
    found = {name: answer for name, answer in checked.items() if name not in about_settings}
    assert [answer for answer in found.values() if answer["status"] != "passed"] == []
    assert "mlflow_store" in found


def test_bucket_s_set_up_is_read_back_or_said_to_be_unknown(s3_direct: Portal) -> None:
    found = check(s3_direct)
    assert found["bucket_public_access"]["status"] == "unknown"
    assert found["bucket_public_access"]["reason"] == "STORE_UNSUPPORTED"
    assert {found[name]["reason"] for name in SET_UP - {"bucket_public_access"}} == {
        *("BUCKET_UNVERSIONED", "BUCKET_UNENCRYPTED", "BUCKET_WITHOUT_TLS", "BUCKET_WITHOUT_LIFECYCLE")
    }


def test_bucket_that_is_set_up_passes(s3_direct: Portal, stack: Stack) -> None:
    owner = stack.store.client()
    owner.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    rule: dict[str, Any] = {"ID": "r", "Status": "Enabled", "Filter": {"Prefix": PREFIX}}
    rule |= {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1}}
    owner.put_bucket_lifecycle_configuration(Bucket=BUCKET, LifecycleConfiguration={"Rules": [rule]})
    try:
        found = check(s3_direct)
    finally:
        owner.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Suspended"})
        owner.delete_bucket_lifecycle(Bucket=BUCKET)
    assert found["bucket_versioning"]["status"] == "passed"
    assert found["bucket_lifecycle"]["status"] == "passed"


def test_checks_leave_no_object_behind(s3_direct: Portal, stack: Stack) -> None:
    check(s3_direct)
    found = stack.store.client().list_objects_v2(Bucket=BUCKET, Prefix=f"{PREFIX}/.hokusai-probe")
    assert found.get("Contents", []) == []


def test_portal_with_another_destination_than_mlflow_is_told(s3_direct: Portal) -> None:
    found = check(s3_direct, HOKUSAI_ARTIFACT_DESTINATION=f"s3://{BUCKET}/elsewhere")
    assert found["artifact_store"]["status"] == "passed"
    assert found["same_destination"]["reason"] == "DESTINATIONS_DIFFER"


def test_store_credentials_that_are_wrong_are_told(s3_direct: Portal) -> None:
    found = check(s3_direct, AWS_SECRET_ACCESS_KEY="another")
    assert found["artifact_store"]["reason"] == "STORE_CREDENTIALS_REJECTED"
    assert found["mlflow_store"]["reason"] == "NOT_ASKED"


@pytest.fixture(scope="module")
def without_artifacts(stack: Stack) -> Any:
    """An MLflow that was started with --no-serve-artifacts, and under another prefix than it seems."""
    folder = stack.folder / "without-artifacts"
    folder.mkdir()
    server = Mlflow(
        "mlflow-without-artifacts",
        folder,
        database=stack.database.create("without_artifacts"),
        destination=str(folder / "artifacts"),
    )
    server.command = [*server.command, "--no-serve-artifacts"]
    server.start()
    server.wait_until(lambda: answers(f"{server.url}/mlflow/health"))
    yield server
    server.end()


def test_mlflow_without_artifacts_is_told(local_direct: Portal, without_artifacts: Mlflow) -> None:
    found = check(local_direct, MLFLOW_SERVER_URL=without_artifacts.url)
    assert found["mlflow_artifacts"]["reason"] == "UPSTREAM_ARTIFACTS_OFF"
    assert found["mlflow_store"]["reason"] == "UPSTREAM_ARTIFACTS_OFF"


def test_mlflow_under_another_prefix_is_told(local_direct: Portal) -> None:
    found = check(local_direct, MLFLOW_STATIC_PREFIX="/other")
    assert found["mlflow"]["reason"] == "UPSTREAM_PREFIX_WRONG"
    assert "/mlflow" in found["mlflow"]["hint"]


@pytest.fixture
def local_direct(stack: Stack) -> Portal:
    return stack.local_direct


# The doctor.


@pytest.fixture(params=["local", "s3", "local_direct", "s3_direct"])
def every(request: pytest.FixtureRequest, stack: Stack) -> Portal:
    found: Portal = getattr(stack, request.param)
    return found


def test_doctor_walks_the_whole_way(every: Portal, stack: Stack) -> None:
    done = every.try_manage("doctor", "--url", every.url, "--json", HOKUSAI_API_KEY=every.key())
    document = json.loads(done.stdout)
    failed = [hop for hop in document["hops"] if hop["status"] == "failed"]
    # MLflow answers no range of an object on S3, which is one reason for the direct mode.
    assert [hop["reason"] for hop in failed] == (["RANGE_IGNORED"] if every is stack.s3 else [])
    assert done.returncode == len(failed)


def test_doctor_uploads_parts_for_a_service_that_has_them(s3_direct: Portal) -> None:
    s3_direct.manage("create_service", "doctor-parts")
    s3_direct.manage("presign_service", "doctor-parts", "on")
    key = s3_direct.manage(
        *("issue_key", "--service", "doctor-parts", "--name", "d", "--preset", "operator", "--quiet")
    )
    printed = s3_direct.manage("doctor", "--url", s3_direct.url, HOKUSAI_API_KEY=key)
    assert re.search(r"✓ parts go to the store .* at localhost:\d+", printed)
    assert "All good" in printed


@pytest.mark.parametrize(
    ("preset", "hop", "reason"),
    [("reader", "small file", "SCOPE_MISSING"), ("contributor", "files are deleted", "SCOPE_MISSING")],
)
def test_doctor_with_a_lesser_key_says_which_scope(s3_direct: Portal, preset: str, hop: str, reason: str) -> None:
    done = s3_direct.try_manage("doctor", "--url", s3_direct.url, HOKUSAI_API_KEY=s3_direct.key(preset))
    assert done.returncode == 1
    assert re.search(rf"✗ {hop}.*{reason}", done.stdout)
    assert "manage.py issue_key" in done.stdout


def test_doctor_at_mlflow_s_own_address_says_so(local_direct: Portal) -> None:
    url = local_direct.mlflow.url
    done = local_direct.try_manage("doctor", "--url", url, HOKUSAI_API_KEY=local_direct.key())
    assert done.returncode == 1
    assert "✗ portal answers" in done.stdout
