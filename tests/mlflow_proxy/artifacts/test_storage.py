"""Artifacts in a bucket: what S3 takes and gives (moto's server), and each of its faults by its name (scripted)."""

import base64
import http.client
import weakref
import zlib
from collections.abc import Callable, Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import boto3
import botocore.endpoint
import pytest
from structlog.testing import capture_logs

from mlflow_proxy import refusals
from mlflow_proxy.artifacts import faults, handouts, parts, storage, stores
from mlflow_proxy.artifacts.parts import SMALLEST
from mlflow_proxy.artifacts.presigned import BucketSigner
from mlflow_proxy.artifacts.storage import BucketStore
from mlflow_proxy.artifacts.stores import Conditions, Download, Entry
from mlflow_proxy.exceptions import (
    ArtifactMissingError,
    PreconditionFailedError,
    ProxyError,
    RangeRefusedError,
    StoreRefusedError,
    StoreUnavailableError,
)
from tests.mlflow_proxy.portal import eventually, free_port
from tests.mlflow_proxy.stub import Answer, Seen, Stub

BUCKET, ROOT = "planted-bucket", "planted/root"
PATH = "0/run/artifacts/a.bin"
KEY = f"{ROOT}/{PATH}"
API = "/api/mlflow/api/2.0/mlflow-artifacts"
ATTEMPTS = 4
ACTIONS = {
    "save": f"s3:PutObject on arn:aws:s3:::{BUCKET}/{ROOT}/*",
    "fetch": f"s3:GetObject on arn:aws:s3:::{BUCKET}/{ROOT}/*",
    "entries": f"s3:ListBucket on arn:aws:s3:::{BUCKET}",
    "remove": f"s3:DeleteObject on arn:aws:s3:::{BUCKET}/{ROOT}/*",
}


class OwnError(Exception):
    """What the caller of a store raises through it."""


def refuse() -> None:
    raise OwnError


@pytest.fixture
def point(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], BucketStore]]:
    """Return what makes a store of an endpoint, as the settings make one."""

    def store_at(endpoint: str) -> BucketStore:
        options = {"bucket_name": BUCKET, "location": ROOT, "endpoint_url": endpoint}
        backend = {"BACKEND": "mlflow_proxy.artifacts.storage.ArtifactBucket", "OPTIONS": options}
        settings.STORAGES = settings.STORAGES | {"artifacts": backend}
        settings.HOKUSAI_ARTIFACT_MODE = "direct"
        settings.HOKUSAI_ARTIFACT_DESTINATION = f"s3://{BUCKET}/{ROOT}"
        stores._store.cache_clear()
        found = stores.current()
        assert isinstance(found, BucketStore)
        return found

    facts = {"ACCESS_KEY_ID": "id", "SECRET_ACCESS_KEY": "no-secret-of-anybody", "DEFAULT_REGION": "us-east-1"}
    for name, value in facts.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    yield store_at
    stores._store.cache_clear()


@pytest.fixture
def store(s3_endpoint: str, point: Callable[[str], BucketStore]) -> Iterator[BucketStore]:
    """A store in a bucket that is empty."""
    store = point(s3_endpoint)
    store.client.create_bucket(Bucket=BUCKET)
    yield store
    bucket = boto3.resource("s3", endpoint_url=s3_endpoint).Bucket(BUCKET)
    bucket.objects.delete()
    for upload in bucket.multipart_uploads.all():
        upload.abort()
    bucket.delete()


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses between the calls of one request, which are not waited for."""
    found: list[float] = []
    monkeypatch.setattr(botocore.endpoint, "time", SimpleNamespace(sleep=found.append))
    return found


@pytest.fixture
def scripted(point: Callable[[str], BucketStore], pauses: list[float]) -> Iterator[tuple[BucketStore, Stub]]:
    """A store before a server that says what it is told."""
    stub = Stub()
    yield point(stub.url), stub
    stub.stop()


def save(store: BucketStore, path: str, *pieces: bytes) -> None:
    store.save(path, pieces, before_commit=lambda: None)


def read(found: Download) -> bytes:
    try:
        return b"".join(found.pieces)
    finally:
        found.pieces.close()


def fetch(store: BucketStore, path: str = PATH, *, is_head: bool = False, **conditions: str) -> Download:
    return store.fetch(path, Conditions(**conditions), is_head=is_head)


def do(store: BucketStore, doing: str) -> object:
    calls: dict[str, Callable[[], object]] = {
        "save": lambda: save(store, PATH, b"x"),
        "fetch": lambda: read(fetch(store)),
        "entries": lambda: store.entries(""),
        "remove": lambda: store.remove(PATH),
    }
    return calls[doing]()


def uploads(store: BucketStore) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = store.client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])
    return found


# --- what works


@pytest.mark.parametrize("size", [0, 1, SMALLEST - 1, SMALLEST, SMALLEST + 1, 3 * SMALLEST + 7])
def test_saved_artifact_is_read_back_byte_for_byte(store: BucketStore, size: int) -> None:
    content = bytes(range(256)) * (size // 256 + 1)
    save(store, PATH, *(content[:size][start : start + 700_001] for start in range(0, size, 700_001)))
    assert read(fetch(store)) == content[:size]


def test_saved_artifact_lies_where_mlflow_would_put_it(store: BucketStore) -> None:
    save(store, PATH, b"x")
    assert [item["Key"] for item in store.client.list_objects_v2(Bucket=BUCKET)["Contents"]] == [KEY]


class Part(bytearray):
    """A part of which a test can tell when nobody holds it any more."""

    alive: ClassVar[weakref.WeakSet["Part"]] = weakref.WeakSet()
    __hash__ = object.__hash__

    def __init__(self, size: int = 0) -> None:
        super().__init__(size)
        self.alive.add(self)


def test_upload_in_parts_holds_none_that_it_has_sent(store: BucketStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "bytearray", Part, raising=False)

    def pieces() -> Iterator[bytes]:
        for _ in range(3):
            yield bytes(SMALLEST - 1)
            yield b"x"
            # The next one is empty yet, and the one that was sent gone.
            eventually(lambda: sum(map(len, Part.alive)) == 0, "a part was held after it was sent")

    store.save(PATH, pieces(), before_commit=lambda: None)
    assert len(read(fetch(store))) == 3 * SMALLEST


def test_download_comes_in_small_pieces_at_first_and_then_in_large_ones(store: BucketStore) -> None:
    small, large = storage.PIECES_AT_FIRST, 2
    save(store, PATH, bytes(small * storage.PIECE + large * storage.LARGE_PIECE))
    found = fetch(store)
    assert [len(piece) for piece in found.pieces] == [storage.PIECE] * small + [storage.LARGE_PIECE] * large


@pytest.mark.parametrize("size", [10, SMALLEST + 10], ids=["one call", "parts"])
def test_refusal_before_commit_leaves_the_old_version_and_no_upload(store: BucketStore, size: int) -> None:
    save(store, PATH, b"old")
    with pytest.raises(OwnError):
        store.save(PATH, [bytes(size)], before_commit=refuse)
    assert (read(fetch(store)), uploads(store)) == (b"old", [])


@pytest.mark.parametrize("sent", [10, SMALLEST + 10], ids=["one call", "parts"])
def test_pieces_that_raise_leave_the_old_version_and_no_upload(store: BucketStore, sent: int) -> None:
    def pieces() -> Iterator[bytes]:
        yield bytes(sent)
        raise OwnError

    save(store, PATH, b"old")
    with pytest.raises(OwnError):
        store.save(PATH, pieces(), before_commit=lambda: None)
    assert (read(fetch(store)), uploads(store)) == (b"old", [])


def test_list_has_folders_without_and_files_with_their_size_by_name(store: BucketStore) -> None:
    for path in ("b", "a/c", "a.txt", "empty"):
        save(store, path, b"" if path == "empty" else b"xy")
    names = [Entry("a", True), Entry("a.txt", False, 2), Entry("b", False, 2), Entry("empty", False, 0)]
    assert store.entries("") == names


def test_remove_takes_a_folder_with_all_below_it_and_nothing_beside(store: BucketStore) -> None:
    for path in ("a/b/c", "a/b/d/e", "a/bc"):
        save(store, path, b"x")
    store.remove("a/b")
    assert store.entries("a") == [Entry("bc", False, 1)]


def test_fetch_of_a_range_has_its_bytes_and_place(store: BucketStore) -> None:
    save(store, PATH, b"0123456789")
    found = fetch(store, byte_range="bytes=2-4")
    assert (found.status, found.length, found.content_range, read(found)) == (206, 3, "bytes 2-4/10", b"234")


def test_fetch_of_a_range_of_another_version_is_the_whole(store: BucketStore) -> None:
    save(store, PATH, b"0123456789")
    found = fetch(store, byte_range="bytes=2-4", if_range='"other"')
    assert (found.status, read(found)) == (200, b"0123456789")


def test_fetch_of_a_known_version_is_304_without_bytes(store: BucketStore) -> None:
    save(store, PATH, b"x")
    found = fetch(store, if_none_match=fetch(store, is_head=True).etag)
    assert (found.status, read(found)) == (304, b"")


@pytest.mark.parametrize(
    ("conditions", "error"),
    [({"byte_range": "bytes=10-"}, RangeRefusedError), ({"if_match": '"other"'}, PreconditionFailedError)],
)
def test_fetch_that_cannot_be_met_is_refused(
    store: BucketStore, conditions: dict[str, str], error: type[ProxyError]
) -> None:
    save(store, PATH, b"0123456789")
    with pytest.raises(error):
        fetch(store, **conditions)


@pytest.mark.parametrize("is_head", [True, False])
def test_fetch_of_nothing_is_missing(store: BucketStore, is_head: bool) -> None:
    with pytest.raises(ArtifactMissingError):
        fetch(store, is_head=is_head)


def test_leftovers_are_the_uploads_of_that_age_below_the_prefix(store: BucketStore) -> None:
    for key in (KEY, "elsewhere/a.bin"):
        store.client.create_multipart_upload(Bucket=BUCKET, Key=key)
    # This server's uploads all began in 2010.
    assert list(store.leftovers(timedelta(days=20_000))) == []
    (left,) = store.leftovers(timedelta(hours=1))
    left.remove()
    assert (left.path, [upload["Key"] for upload in uploads(store)]) == (PATH, ["elsewhere/a.bin"])


def test_probe_walks_all_that_transfers_do_and_leaves_nothing(store: BucketStore) -> None:
    assert list(store.probe()) == ["list", "write", "read", "range", "multipart", "delete"]
    assert (store.client.list_objects_v2(Bucket=BUCKET)["KeyCount"], uploads(store)) == (0, [])


# --- what the store refuses


def refusal(code: str, status: int) -> bytes:
    document = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>planted words</Message></Error>"
    lines = (f"HTTP/1.1 {status} No", "Content-Type: application/xml", f"Content-Length: {len(document)}")
    return "\r\n".join((*lines, "", document)).encode()


def answer(body: bytes = b"", *lines: str, status: str = "200 OK") -> bytes:
    return "\r\n".join((f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *lines, "", "")).encode() + body


PUT = answer(b"", 'ETag: "e"')
GET = answer(b"bytes", 'ETag: "e"', "Last-Modified: Wed, 25 Nov 2026 12:00:00 GMT")


@pytest.mark.parametrize("doing", ACTIONS)
def test_denied_call_names_the_missing_action_to_the_operator_alone(
    scripted: tuple[BucketStore, Stub], doing: str
) -> None:
    store, stub = scripted
    stub.reply(refusal("AccessDenied", 403))
    # Removing begins with a listing.
    action = ACTIONS["entries" if doing == "remove" else doing]
    with capture_logs() as logged, pytest.raises(StoreRefusedError) as refused:
        do(store, doing)
    assert refused.value.reason == "STORE_DENIED"
    assert [event["hint"] for event in logged if event["event"] == "artifact_store_failed"] == [
        f"Allow the portal's role {action}, in its policy and in the bucket's."
    ]
    told = refusals.render(refused.value)
    assert told.status_code == 424
    assert [word for word in (b"planted", b"arn:", b"s3:") if word in told.content] == []


def test_denied_deletion_inside_a_200_is_named(scripted: tuple[BucketStore, Stub]) -> None:
    store, stub = scripted
    empty = b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"
    denied = f"<DeleteResult><Error><Key>{KEY}</Key><Code>AccessDenied</Code></Error></DeleteResult>".encode()
    stub.script = lambda seen: Answer([answer(empty if seen.method == "GET" else denied)])
    with pytest.raises(StoreRefusedError) as refused:
        store.remove(PATH)
    assert ACTIONS["remove"] in refused.value.hint


@pytest.mark.parametrize("code", faults.REASONS_TO_ACT)
@pytest.mark.parametrize("doing", ["save", "fetch"])
def test_fault_that_an_operator_must_end_has_its_reason_and_is_not_repeated(
    scripted: tuple[BucketStore, Stub], code: str, doing: str
) -> None:
    store, stub = scripted
    stub.reply(refusal(code, 403))
    with pytest.raises(StoreRefusedError) as refused:
        do(store, doing)
    reason, hint = faults.REASONS_TO_ACT[code]
    # Not counting the HEAD with which botocore asks for a bucket's region.
    calls = [seen.method for seen in stub.seen if seen.method != "HEAD"]
    assert (refused.value.reason, len(calls)) == (reason, 1)
    assert hint.partition("{")[0] in refused.value.hint
    assert refusals.render(refused.value).get("Retry-After") is None


def test_bucket_that_is_missing_has_its_reason(s3_endpoint: str, point: Callable[[str], BucketStore]) -> None:
    with pytest.raises(StoreRefusedError) as refused:
        save(point(s3_endpoint), PATH, b"x")
    assert refused.value.reason == "STORE_BUCKET_MISSING"


def test_head_that_is_refused_without_a_word_is_a_denial(scripted: tuple[BucketStore, Stub]) -> None:
    store, stub = scripted
    stub.reply(answer(status="403 Forbidden"))
    with pytest.raises(StoreRefusedError) as refused:
        fetch(store, is_head=True)
    assert refused.value.reason == "STORE_DENIED"


def test_code_that_nobody_knows_is_told_to_the_operator(scripted: tuple[BucketStore, Stub]) -> None:
    store, stub = scripted
    stub.reply(refusal("SomethingNew", 400))
    with pytest.raises(StoreRefusedError) as refused:
        save(store, PATH, b"x")
    assert (refused.value.reason, refused.value.hint) == ("STORE_FAILED", "The store said: SomethingNew.")


# --- what passes


BUSY = {
    "SlowDown": 503,
    "RequestLimitExceeded": 503,
    "Throttling": 400,
    "InternalError": 500,
    "ServiceUnavailable": 503,
}


@pytest.mark.parametrize(("code", "status"), BUSY.items())
def test_store_that_is_busy_is_asked_again_after_pauses(
    scripted: tuple[BucketStore, Stub], pauses: list[float], code: str, status: int
) -> None:
    store, stub = scripted
    answers = iter([refusal(code, status)] * (ATTEMPTS - 1) + [PUT])
    stub.script = lambda _: Answer([next(answers)])
    save(store, PATH, b"x")
    assert (len(stub.seen), len(pauses), min(pauses) > 0) == (ATTEMPTS, ATTEMPTS - 1, True)


@pytest.mark.parametrize(("code", "status"), BUSY.items())
@pytest.mark.parametrize("doing", ["save", "fetch", "entries"])
def test_store_that_stays_busy_is_a_503_that_says_when_to_come_back(
    scripted: tuple[BucketStore, Stub], code: str, status: int, doing: str
) -> None:
    store, stub = scripted
    stub.reply(refusal(code, status))
    with pytest.raises(StoreUnavailableError) as fault:
        do(store, doing)
    assert len(stub.seen) == ATTEMPTS
    assert fault.value.reason == faults.REASONS_TO_WAIT.get(code, "STORE_UNAVAILABLE")
    told = refusals.render(fault.value)
    assert told.status_code == 503
    assert 10 <= int(told["Retry-After"]) <= 12


@pytest.mark.parametrize("doing", ACTIONS)
def test_store_that_is_down_is_a_503(point: Callable[[str], BucketStore], pauses: list[float], doing: str) -> None:
    store = point(f"http://127.0.0.1:{free_port()}")
    with pytest.raises(StoreUnavailableError) as fault:
        do(store, doing)
    assert (refusals.render(fault.value).status_code, len(pauses)) == (503, ATTEMPTS - 1)


@pytest.mark.parametrize("cut", [0, 1, 9, 20, 38, len(PUT) - 3, len(PUT) - 1])
@pytest.mark.parametrize("then", ["close", "reset"])
def test_head_that_breaks_off_is_no_answer_and_asked_for_again(
    scripted: tuple[BucketStore, Stub], cut: int, then: Any
) -> None:
    store, stub = scripted
    answers = iter([Answer([PUT[:cut]], then), Answer([PUT])])
    stub.script = lambda _: next(answers)
    save(store, PATH, b"x")
    assert len(stub.seen) == 2


@pytest.mark.parametrize("cut", range(0, GET.index(b"\r\n\r\n") + 4, 7))
def test_download_whose_head_breaks_off_is_a_503(scripted: tuple[BucketStore, Stub], cut: int) -> None:
    store, stub = scripted
    stub.reply(GET[:cut], then="close")
    with pytest.raises(StoreUnavailableError):
        read(fetch(store))


@pytest.mark.parametrize("then", ["close", "reset"])
def test_download_whose_body_breaks_off_raises(scripted: tuple[BucketStore, Stub], then: Any) -> None:
    store, stub = scripted
    stub.reply(GET[:-1], then=then)
    with pytest.raises(StoreUnavailableError):
        read(fetch(store))


def test_download_with_another_checksum_than_the_store_s_is_broken_off(scripted: tuple[BucketStore, Stub]) -> None:
    store, stub = scripted
    stub.reply(GET.replace(b"ETag", b"x-amz-checksum-crc32: AAAAAA==\r\nETag"))
    with pytest.raises(StoreUnavailableError):
        read(fetch(store))


# --- checksums of uploads


def sum_of(content: bytes) -> str:
    return base64.b64encode(zlib.crc32(content).to_bytes(4, "big")).decode()


PARTED = bytes(SMALLEST) + b"rest"


def in_parts(seen: Seen, *, completion: bytes) -> Answer:
    """Take an upload in parts, and end it with the completion's document."""
    if seen.method == "POST":
        created = b"<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"
        return Answer([answer(created if seen.target.endswith("?uploads") else completion)])
    return Answer([PUT if seen.method == "PUT" else answer(status="204 No Content")])


def asked(stub: Stub) -> list[tuple[str, str]]:
    return [(seen.method, urlsplit(seen.target).query.partition("=")[0]) for seen in stub.seen]


def completed(crc: str) -> bytes:
    return (
        f"<CompleteMultipartUploadResult><ChecksumCRC32>{crc}</ChecksumCRC32></CompleteMultipartUploadResult>".encode()
    )


def test_upload_in_parts_tells_size_and_checksum_of_the_whole(scripted: tuple[BucketStore, Stub]) -> None:
    store, stub = scripted
    stub.script = lambda seen: in_parts(seen, completion=completed(sum_of(PARTED)))
    save(store, PATH, PARTED)
    last = stub.seen[-1]
    facts = (last.header("x-amz-mp-object-size"), last.header("x-amz-checksum-crc32"))
    assert facts == (str(len(PARTED)), sum_of(PARTED))


def test_small_upload_tells_its_checksum(scripted: tuple[BucketStore, Stub]) -> None:
    store, stub = scripted
    stub.reply(PUT)
    save(store, PATH, b"bytes")
    assert stub.seen[0].header("x-amz-checksum-crc32") == sum_of(b"bytes")


def test_checksum_that_the_store_denies_ends_the_upload(scripted: tuple[BucketStore, Stub]) -> None:
    store, stub = scripted

    def script(seen: Seen) -> Answer:
        if "uploadId" in seen.target and seen.method == "POST":
            return Answer([refusal("BadDigest", 400)])
        return in_parts(seen, completion=b"")

    stub.script = script
    with pytest.raises(StoreUnavailableError) as fault:
        save(store, PATH, PARTED)
    assert fault.value.reason == "DIGEST_MISMATCH"
    assert asked(stub)[-1] == ("DELETE", "uploadId")


def test_checksum_that_the_store_tells_and_did_not_compare_takes_the_artifact_away(
    scripted: tuple[BucketStore, Stub],
) -> None:
    store, stub = scripted
    stub.script = lambda seen: in_parts(seen, completion=completed("AAAAAA=="))
    with pytest.raises(StoreUnavailableError) as fault:
        save(store, PATH, PARTED)
    assert fault.value.reason == "DIGEST_MISMATCH"
    assert (stub.seen[-1].method, stub.seen[-1].target) == ("DELETE", f"/{BUCKET}/{KEY}")


@pytest.mark.parametrize("code", faults.ABOUT_PARTS)
@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_parts_that_the_store_has_lost_are_no_mistake_of_the_caller(
    scripted: tuple[BucketStore, Stub], code: str, method: str
) -> None:
    store, stub = scripted

    def script(seen: Seen) -> Answer:
        if seen.method == method and not seen.target.endswith("?uploads"):
            return Answer([refusal(code, 404)])
        return in_parts(seen, completion=b"")

    stub.script = script
    with pytest.raises(StoreUnavailableError):
        save(store, PATH, PARTED)


def test_part_that_fails_ends_the_upload(scripted: tuple[BucketStore, Stub]) -> None:
    store, stub = scripted
    stub.script = lambda seen: (
        Answer([refusal("AccessDenied", 403)]) if seen.method == "PUT" else in_parts(seen, completion=b"")
    )
    with pytest.raises(StoreRefusedError):
        save(store, PATH, PARTED)
    assert asked(stub)[-1] == ("DELETE", "uploadId")


def test_upload_that_cannot_be_ended_is_told_to_the_operator(scripted: tuple[BucketStore, Stub]) -> None:
    store, stub = scripted
    stub.script = lambda seen: (
        in_parts(seen, completion=b"") if seen.method == "POST" else Answer([refusal("AccessDenied", 403)])
    )
    with capture_logs() as logged, pytest.raises(StoreRefusedError):
        save(store, PATH, PARTED)
    assert [event["key"] for event in logged if event["event"] == "upload_abort_failed"] == [KEY]


# --- credentials and signed addresses


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch, scripted: tuple[BucketStore, Stub], point: Any) -> tuple[Any, Stub]:
    """A store with credentials that last for hours."""
    monkeypatch.setenv("AWS_SESSION_TOKEN", "planted-session")
    return point(scripted[1].url), scripted[1]


def test_temporary_credentials_sign_calls(temporary: tuple[BucketStore, Stub]) -> None:
    store, stub = temporary
    stub.reply(PUT)
    save(store, PATH, b"x")
    assert stub.seen[0].header("x-amz-security-token") == "planted-session"
    assert "x-amz-security-token" in (stub.seen[0].header("Authorization") or "")


@pytest.mark.parametrize("public", ["", "https://artifacts.example.org"])
def test_temporary_credentials_sign_addresses(temporary: tuple[BucketStore, Stub], settings: Any, public: str) -> None:
    settings.HOKUSAI_S3_PUBLIC_ENDPOINT_URL = public
    store, stub = temporary
    stub.reply(GET.replace(b"bytes", b""), then="close")
    signer = BucketSigner(store)
    urls = signer.sign_parts(PATH, "upload", 2, seconds=900)
    assert {parse_qs(urlsplit(url).query)["X-Amz-Security-Token"][0] for url in urls} == {"planted-session"}
    assert {url.startswith(f"{public or stub.url}/{BUCKET}/{KEY}?") for url in urls} == {True}


def test_store_without_credentials_has_its_reason(
    point: Callable[[str], BucketStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"):
        monkeypatch.delenv(f"AWS_{name}")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    with pytest.raises(StoreRefusedError) as refused:
        save(point("http://127.0.0.1:9"), PATH, b"x")
    assert refused.value.reason == "STORE_CREDENTIALS_REJECTED"


def lifetime(url: str) -> int:
    return int(parse_qs(urlsplit(url).query)["X-Amz-Expires"][0])


@pytest.fixture
def presigning(writer: Any) -> dict[str, str]:
    """The header of a key whose callers may be sent to the store."""
    writer.row.service.presigned_urls = True
    writer.row.service.save()
    return {"Authorization": f"Bearer {writer.secret.text}"}


def test_signed_download_works_for_five_minutes_at_most(store: BucketStore, portal: Any, presigning: Any) -> None:
    save(store, PATH, b"x")
    found = portal.get(f"{API}/presigned/{PATH}", headers=presigning).json()
    assert lifetime(found["url"]) == handouts.DOWNLOAD_SECONDS <= 300


def test_signed_parts_work_for_a_quarter_of_an_hour_at_most(store: BucketStore, portal: Any, presigning: Any) -> None:
    document = {"path": "/home/ci/a.bin", "num_parts": 3}
    target = f"{API}/mpu/create/0/run/artifacts"
    begun = portal.post(target, document, content_type="application/json", headers=presigning).json()
    seconds = {lifetime(part["url"]) for part in begun["credentials"]}
    assert seconds == {handouts.PART_SECONDS}
    assert handouts.PART_SECONDS <= 900


def test_large_download_is_redirected_for_five_minutes_at_most(
    store: BucketStore, portal: Any, presigning: Any, settings: Any
) -> None:
    settings.HOKUSAI_REDIRECT_MIN_BYTES = 1
    save(store, PATH, b"x")
    reply = portal.get(f"{API}/artifacts/{PATH}", headers=presigning)
    assert (reply.status_code, lifetime(reply["Location"])) == (http.client.TEMPORARY_REDIRECT, 300)
