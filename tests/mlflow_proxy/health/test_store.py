"""The store's steps on a folder, on moto, and on stubs that refuse: each names itself and the right it lacks."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mlflow_proxy import breaker, circuits
from mlflow_proxy.artifacts import storage, stores
from mlflow_proxy.exceptions import StorePausedError, StoreUnavailableError
from mlflow_proxy.health import mlflow, store
from tests.mlflow_proxy.health.answers import ARTIFACTS_OFF
from tests.mlflow_proxy.health.conftest import BUCKET, PREFIX
from tests.mlflow_proxy.stub import Answer, Seen, Stub, ok

IN_BUCKET = list(store.NAMES.values())
IN_FOLDER = ["artifact_store", "artifact_write", "artifact_read", "artifact_delete"]


def refusal(code: str, status: str = "403 Forbidden") -> bytes:
    return ok(f"<Error><Code>{code}</Code></Error>".encode(), "Content-Type: application/xml", status=status)


def names(probes: Any) -> list[str]:
    return [probe.name for probe in probes]


def test_steps_in_a_bucket_pass_and_leave_nothing(bucket: Any) -> None:
    probes = list(store.walk_steps())
    assert (names(probes), {probe.status for probe in probes}) == (IN_BUCKET, {"passed"})
    assert "Contents" not in bucket.list_objects_v2(Bucket=BUCKET)
    assert "Uploads" not in bucket.list_multipart_uploads(Bucket=BUCKET)


def test_steps_in_a_folder_pass_and_leave_nothing(folder: Path) -> None:
    probes = list(store.walk_steps())
    assert (names(probes), {probe.status for probe in probes}) == (IN_FOLDER, {"passed"})
    assert [path for path in folder.rglob("*") if path.is_file()] == []


def test_step_names_are_those_that_a_walk_answers(bucket: Any) -> None:
    assert list(store.step_names()) == [*IN_BUCKET, "mlflow_store", "same_destination"]


def test_step_names_without_a_destination_leave_the_store_out() -> None:
    assert store.step_names() == ("mlflow_store",)


def test_bucket_that_is_missing_is_named(bucket: Any, use_bucket: Any, moto: str) -> None:
    use_bucket(moto, "another")
    (probe,) = store.walk_steps()
    assert (probe.name, probe.status, probe.reason) == ("artifact_store", "failed", "STORE_BUCKET_MISSING")


@pytest.mark.parametrize(
    ("pattern", "name", "right"),
    [
        (r"GET /registry\?", "artifact_store", f"s3:ListBucket on arn:aws:s3:::{BUCKET},"),
        (r"PUT (?!.*partNumber)", "artifact_write", f"s3:PutObject on arn:aws:s3:::{BUCKET}/{PREFIX}/*"),
        (r"GET /registry/", "artifact_read", f"s3:GetObject on arn:aws:s3:::{BUCKET}/{PREFIX}/*"),
        (r"POST /registry/", "artifact_multipart", f"s3:PutObject on arn:aws:s3:::{BUCKET}/{PREFIX}/*"),
        (r"DELETE /registry/", "artifact_delete", f"s3:DeleteObject on arn:aws:s3:::{BUCKET}/{PREFIX}/*"),
    ],
)
def test_denied_step_names_the_right_that_is_missing(s3_stub: Stub, pattern: str, name: str, right: str) -> None:
    s3_stub.script = generous_but(pattern, refusal("AccessDenied"))
    last = list(store.walk_steps())[-1]
    assert (last.name, last.status, last.reason) == (name, "failed", "STORE_DENIED")
    assert right in last.hint


def test_step_that_fails_is_told_although_the_clean_up_fails_as_well(s3_stub: Stub) -> None:
    s3_stub.script = generous_but(r"(GET|DELETE) /registry/", refusal("AccessDenied"))
    last = list(store.walk_steps())[-1]
    assert last.name == "artifact_read"
    assert "s3:GetObject" in last.hint
    assert s3_stub.seen[-1].method == "DELETE"


def generous_but(pattern: str, refused: bytes) -> Any:
    """A store that does all that is asked, but for the requests that match."""
    created = b"<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"
    held = {"body": b""}

    def script(seen: Seen) -> Answer:
        if re.match(pattern, f"{seen.method} {seen.target}"):
            return Answer([refused])
        if seen.method == "GET" and "list-type=2" in seen.target:
            return Answer([ok(b"<ListBucketResult></ListBucketResult>")])
        if seen.method == "POST":
            is_end = "uploadId" in seen.target
            held["body"] = storage._IN_PARTS if is_end else held["body"]
            done = b"<CompleteMultipartUploadResult></CompleteMultipartUploadResult>"
            return Answer([ok(done if is_end else created)])
        if seen.method == "GET":
            whole = held["body"] or stores.CANARY
            is_part = seen.header("Range") is not None
            return Answer([ok(whole[2:5] if is_part else whole, status="206 P" if is_part else "200 OK")])
        return Answer([ok(b"", 'ETag: "e"', status="204 No Content" if seen.method == "DELETE" else "200 OK")])

    return script


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("InvalidAccessKeyId", "STORE_CREDENTIALS_REJECTED"),
        ("ExpiredToken", "STORE_CREDENTIALS_EXPIRED"),
        ("RequestTimeTooSkewed", "STORE_CLOCK_SKEWED"),
        ("PermanentRedirect", "STORE_REGION_WRONG"),
        ("Whatever", "STORE_FAILED"),
    ],
)
def test_store_that_refuses_says_why(s3_stub: Stub, code: str, reason: str) -> None:
    s3_stub.reply(refusal(code))
    (probe,) = store.walk_steps()
    assert (probe.name, probe.reason) == ("artifact_store", reason)
    assert probe.hint


def test_store_that_is_away_says_where_to_look(s3_stub: Stub) -> None:
    with s3_stub.not_listening():
        (probe,) = store.walk_steps()
    assert (probe.status, probe.reason) == ("failed", "STORE_UNAVAILABLE")
    assert "HOKUSAI_S3_ENDPOINT_URL" in probe.hint


def test_store_that_did_not_answer_five_times_is_called_no_more(s3_stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breaker, "PAUSE_SECONDS", 10_000.0)
    s3_stub.reply(ok(status="503 Unavailable"))
    # boto3 repeats each call, which takes its time: four failures are put down by hand.
    known = circuits._breaker("store", "metadata", os.getpid())
    for _ in range(4):
        known.end(known.begin(), "failed")
    with pytest.raises(StoreUnavailableError):
        stores.current().entries("0")
    s3_stub.reset()
    with pytest.raises(StorePausedError):
        stores.current().entries("0")
    assert s3_stub.connections == 0
    assert next(store.walk_steps()).status == "failed", "a question of health passes the breaker"
    assert s3_stub.connections == 1


def test_store_that_hangs_is_given_up(s3_stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "HURRIED_SECONDS", 0.3)
    s3_stub.reply(then="hang")
    (probe,) = store.walk_steps()
    assert (probe.status, probe.reason) == ("failed", "STORE_UNAVAILABLE")
    assert "did not answer" in probe.hint
    s3_stub.wait(lambda: bool(s3_stub.seen))
    assert len(s3_stub.seen) == 1


def test_store_that_gives_other_bytes_back_fails(s3_stub: Stub) -> None:
    s3_stub.script = generous_but(r"GET /registry/", ok(b"other bytes"))
    last = list(store.walk_steps())[-1]
    assert (last.name, last.reason) == ("artifact_read", "DIGEST_MISMATCH")


def test_folder_that_may_not_be_written_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / ".hokusai-uploads").write_text("a file where the folder belongs")
    last = list(store.walk_steps())[-1]
    assert (last.name, last.status) == ("artifact_write", "failed")


def test_question_is_not_logged_as_a_fault_of_the_traffic(s3_stub: Stub, caplog: pytest.LogCaptureFixture) -> None:
    s3_stub.reply(refusal("AccessDenied"))
    list(store.walk_steps())
    assert "artifact_store_failed" not in caplog.text


# MLflow's own store, and whether it is the portal's.


def mlflow_on(folder: Path, *, is_deaf: bool = False) -> Any:
    """A script: MLflow that keeps artifacts in a folder; a deaf one answers 500 to each upload."""

    def answer(seen: Seen) -> Iterator[bytes]:
        file = folder / seen.target.rpartition("/")[2]
        if seen.method == "PUT" and not is_deaf:
            file.write_bytes(seen.body)
        if seen.method == "DELETE":
            file.unlink(missing_ok=True)
        yield ok(file.read_bytes() if seen.method == "GET" else b"", status="500 No" if is_deaf else "200 OK")

    return lambda seen: Answer(answer(seen))


def test_both_in_one_place_pass_and_leave_nothing(folder: Path, stub: Stub) -> None:
    stub.script = mlflow_on(folder)
    assert [(probe.name, probe.status) for probe in store.walk_both()] == [
        ("mlflow_store", "passed"),
        ("same_destination", "passed"),
    ]
    assert list(folder.iterdir()) == []


def test_mlflow_with_another_destination_is_told(folder: Path, stub: Stub, tmp_path_factory: Any) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    stub.script = mlflow_on(elsewhere)
    last = list(store.walk_both())[-1]
    assert (last.name, last.status, last.reason) == ("same_destination", "failed", "DESTINATIONS_DIFFER")
    assert "DEFAULT_ARTIFACT_ROOT" in last.hint
    assert list(elsewhere.iterdir()) == []


def test_mlflow_that_cannot_store_is_told(folder: Path, stub: Stub) -> None:
    stub.script = mlflow_on(folder, is_deaf=True)
    (probe,) = store.walk_both()
    assert (probe.name, probe.status, probe.reason) == ("mlflow_store", "failed", "UPSTREAM_STORE_FAILED")


def test_mlflow_without_artifacts_leaves_the_question_open(folder: Path, stub: Stub) -> None:
    stub.reply(ARTIFACTS_OFF)
    (probe,) = store.walk_both()
    assert (probe.status, probe.reason) == ("unknown", "UPSTREAM_ARTIFACTS_OFF")
    assert [seen.method for seen in stub.seen] == ["PUT"]


def test_mlflow_that_is_away_leaves_the_question_open_and_is_asked_once(folder: Path, stub: Stub) -> None:
    with stub.not_listening():
        (probe,) = store.walk_both()
    assert (probe.status, probe.reason) == ("unknown", "UPSTREAM_REFUSED")


def test_mlflow_that_does_not_answer_an_upload_is_asked_to_delete_it(
    folder: Path, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "TRANSFER_SECONDS", 0.2)
    stub.script = lambda seen: Answer([], "hang") if seen.method == "PUT" else Answer([ok()])
    (probe,) = store.walk_both()
    assert probe.reason == "UPSTREAM_TIMED_OUT"
    stub.wait(lambda: len(stub.seen) > 1)
    # Of two connections, which the stub may hear in any order.
    seen = {seen.method: seen.target for seen in stub.seen}
    assert (len(stub.seen), seen.keys()) == (2, {"PUT", "DELETE"})
    assert seen["DELETE"].startswith(f"/mlflow{mlflow.ARTIFACTS}/")


def test_canaries_are_in_no_listing(bucket: Any, folder: Path, use_bucket: Any, moto: str) -> None:
    (folder / f"{stores.CANARY_PREFIX}-1").write_bytes(b"")
    (folder / "0").mkdir()
    assert [entry.name for entry in stores.current().entries("")] == ["0"]
    use_bucket(moto)
    for name in (f"{stores.CANARY_PREFIX}-1", f"{stores.CANARY_PREFIX}/2", "0/x"):
        bucket.put_object(Bucket=BUCKET, Key=f"{PREFIX}/{name}", Body=b"")
    assert [entry.name for entry in stores.current().entries("")] == ["0"]
