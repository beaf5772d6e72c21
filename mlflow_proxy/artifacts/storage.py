"""Artifacts in an S3 bucket, under the keys that MLflow writes; with multipart.py alone talks to object storage.

Configured as django-storages' ``artifacts`` storage; its client, safe to share between threads, carries the bytes.
"""

import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import chain, repeat
from mimetypes import guess_type
from typing import Any, cast

from botocore.awsrequest import AWSHTTPConnection, AWSHTTPSConnection
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.core.files.storage import storages
from storages.backends.s3 import S3Storage

from mlflow_proxy import circuits, conf
from mlflow_proxy.artifacts import faults, parts, ranges, stores
from mlflow_proxy.artifacts.multipart import MultipartUpload, abort, crc32
from mlflow_proxy.artifacts.stores import (
    CANARY,
    CANARY_PREFIX,
    Conditions,
    Download,
    Entry,
    Leftover,
    refuse_difference,
)
from mlflow_proxy.exceptions import ArtifactMissingError, StorePausedError, StoreRefusedError, StoreUnavailableError
from mlflow_proxy.heads import BoundedHead

# The first ones small, so that the caller's end works on one while the store's sends the next; then fewer are better.
PIECE = 256 * 1024
PIECES_AT_FIRST = 16
LARGE_PIECE = 1024 * 1024
DELETES_A_CALL = 1000
HURRIED_SECONDS = 5.0
TRANSFERS = {"s3:GetObject", "s3:PutObject"}
_IN_PARTS = CANARY + b", in parts"

# An answer whose head breaks off is one that botocore repeats, not one without a length or with half an entity tag.
AWSHTTPConnection.response_class = AWSHTTPSConnection.response_class = BoundedHead


class ArtifactBucket(S3Storage):  # type: ignore[misc]  # django-storages carries no types
    """The bucket and prefix of HOKUSAI_ARTIFACT_DESTINATION, with deadlines and retries that transfers can bear."""

    def get_default_settings(self) -> dict[str, Any]:
        client_config = Config(
            signature_version="s3v4",
            # Throttled, reset and 5xx calls again with back-off (all of them can be repeated), in half a minute.
            retries={"mode": "standard", "total_max_attempts": 4},
            connect_timeout=conf.connect_timeout(),
            read_timeout=60,
            max_pool_connections=64,
            tcp_keepalive=True,
        )
        defaults: dict[str, Any] = super().get_default_settings()
        return defaults | {"client_config": client_config, "querystring_auth": True}


def hurried_bucket() -> ArtifactBucket:
    """Return the same bucket for questions: a store that hangs is an answer, so nothing waits or repeats."""
    hurry = Config(
        signature_version="s3v4",
        retries={"mode": "standard", "total_max_attempts": 1},
        connect_timeout=min(conf.connect_timeout(), HURRIED_SECONDS),
        read_timeout=HURRIED_SECONDS,
    )
    return ArtifactBucket(**settings.STORAGES["artifacts"]["OPTIONS"], client_config=hurry)


class BucketStore:
    """Implements stores.Store on the ``artifacts`` storage, or on another view of the same bucket."""

    def __init__(self, bucket: ArtifactBucket | None = None) -> None:
        self._settings = cast("Any", bucket or storages["artifacts"])
        # Who asks a question records the answer.
        self._is_logged = bucket is None
        self.bucket: str = self._settings.bucket_name
        self.prefix: str = self._settings.location

        # Made with the store, which a worker makes when it starts: it takes a third of a second.
        self.client: Any = self._settings.connection.meta.client

    @cached_property
    def public_client(self) -> Any:
        """Signs for the address under which callers reach the store; sends nothing."""
        if not conf.public_store_endpoint():
            return self.client
        options = {"bucket_name": self.bucket, "endpoint_url": conf.public_store_endpoint()}
        return ArtifactBucket(**options, region_name=self._settings.region_name).connection.meta.client

    def _key(self, path: str) -> str:
        return "/".join(filter(None, (self.prefix, path)))

    def where(self, path: str) -> dict[str, str]:
        return {"Bucket": self.bucket, "Key": self._key(path)}

    def entries(self, path: str) -> list[Entry]:
        prefix = f"{self._key(path)}/".removeprefix("/")
        entries = []
        with self.named_errors("s3:ListBucket"):
            for page in self._pages(Prefix=prefix, Delimiter="/"):
                folders = (item["Prefix"].removesuffix("/") for item in page.get("CommonPrefixes", ()))
                entries += [Entry(key.removeprefix(prefix), True) for key in folders]
                # An empty object that ends in a slash is some console's idea of a folder.
                files = (item for item in page.get("Contents", ()) if not item["Key"].endswith("/"))
                entries += [Entry(item["Key"].removeprefix(prefix), False, item["Size"]) for item in files]
        shown = (entry for entry in entries if path or not entry.name.startswith(CANARY_PREFIX))
        return sorted(shown, key=lambda entry: entry.name)

    def fetch(self, path: str, conditions: Conditions, *, is_head: bool = False) -> Download:
        asked = self.where(path) | _asked(conditions)
        with self.named_errors("s3:GetObject"):
            try:
                answer = self.client.head_object(**asked) if is_head else self.client.get_object(**asked)
            except ClientError as error:
                if faults.status_of(error) == 304:
                    return Download(304, 0, faults.etag_of(error), None, _StreamPieces(None, self.where(path)))
                if faults.status_of(error) == 412 and conditions.if_range:
                    # Another version than the one begun with: the whole of it (RFC 9110 §13.1.5).
                    whole = Conditions(if_match=conditions.if_match, if_none_match=conditions.if_none_match)
                    return self.fetch(path, whole, is_head=is_head)
                raise
        content_range = answer.get("ContentRange", "")
        pieces = _StreamPieces(answer.get("Body"), self.where(path))
        return Download(
            206 if content_range else 200,
            answer["ContentLength"],
            answer.get("ETag", ""),
            answer["LastModified"],
            pieces,
            content_range,
        )

    def save(self, path: str, pieces: Iterable[bytes], *, before_commit: Callable[[], None]) -> None:
        kind = {"ContentType": kind_of(path)}
        cut = parts.cut(pieces)
        # In a list, so that it can be handed over: under a name of its own it would be held to the end.
        held = [next(cut)]
        with self.named_errors("s3:PutObject"):
            if len(held[0]) < parts.size_of(1):
                before_commit()
                self.client.put_object(**self.where(path), **kind, Body=held[0], ChecksumCRC32=crc32(held[0]))
                return
            upload = MultipartUpload(self.client, self.where(path), **kind)
            try:
                upload.carry(held.pop(), cut)
                before_commit()
                upload.complete()
            except BaseException:
                upload.abort()
                raise
            upload.verify()

    def remove(self, path: str) -> None:
        key = self._key(path)
        keys = [key]
        with self.named_errors("s3:ListBucket"):
            for page in self._pages(Prefix=f"{key}/"):
                keys += [item["Key"] for item in page.get("Contents", ())]
        with self.named_errors("s3:DeleteObject"):
            for start in range(0, len(keys), DELETES_A_CALL):
                chosen = [{"Key": key} for key in keys[start : start + DELETES_A_CALL]]
                answer = self.client.delete_objects(Bucket=self.bucket, Delete={"Objects": chosen, "Quiet": True})
                for refused in answer.get("Errors", ()):
                    raise ClientError({"Error": refused}, "DeleteObjects")

    def leftovers(self, older_than: timedelta) -> Iterator[Leftover]:
        begun_before = datetime.now(tz=UTC) - older_than
        with self.named_errors("s3:ListBucketMultipartUploads"):
            pages = self.client.get_paginator("list_multipart_uploads")
            prefix = f"{self.prefix}/" if self.prefix else ""
            for page in pages.paginate(Bucket=self.bucket, Prefix=prefix):
                for found in page.get("Uploads", ()):
                    if found["Initiated"] <= begun_before:
                        upload = {"Bucket": self.bucket, "Key": found["Key"], "UploadId": found["UploadId"]}
                        yield Leftover(found["Key"].removeprefix(prefix), found["Initiated"], self._ender(upload))

    def _ender(self, upload: dict[str, str]) -> Callable[[], None]:
        def end() -> None:
            with self.named_errors("s3:AbortMultipartUpload"), suppress(ArtifactMissingError):
                self.client.abort_multipart_upload(**upload)

        return end

    def probe(self) -> Iterator[str]:
        where = self.where(f"{CANARY_PREFIX}/{uuid.uuid4().hex}")
        with self.named_errors("s3:ListBucket"):
            self.client.list_objects_v2(Bucket=self.bucket, Prefix=where["Key"], MaxKeys=1)
        yield "list"
        try:
            with self.named_errors("s3:PutObject"):
                self.client.put_object(**where, Body=CANARY, ChecksumCRC32=crc32(CANARY))
            yield "write"
            self._refuse_other(where, CANARY)
            yield "read"
            self._refuse_other(where, CANARY[2:5], Range="bytes=2-4")
            yield "range"
            self._probe_multipart(where)
            yield "multipart"
        except BaseException:
            # What went wrong is told by the step that met it, and not by the clean-up after it.
            with suppress(ClientError, BotoCoreError):
                self.client.delete_object(**where)
            raise
        with self.named_errors("s3:DeleteObject"):
            self.client.delete_object(**where)
        yield "delete"

    def _refuse_other(self, where: dict[str, str], expected: bytes, **asked: str) -> None:
        with self.named_errors("s3:GetObject"):
            refuse_difference(self.client.get_object(**where, **asked)["Body"].read(), expected)

    def _probe_multipart(self, where: dict[str, str]) -> None:
        with self.named_errors("s3:PutObject"):
            upload = where | {"UploadId": self.client.create_multipart_upload(**where)["UploadId"]}
        try:
            with self.named_errors("s3:PutObject"):
                part = self.client.upload_part(**upload, PartNumber=1, Body=_IN_PARTS)
                listed = [{"PartNumber": 1, "ETag": part["ETag"]}]
                self.client.complete_multipart_upload(**upload, MultipartUpload={"Parts": listed})
        except BaseException:
            abort(self.client, upload)
            raise
        self._refuse_other(where, _IN_PARTS)

    def _pages(self, **asked: Any) -> Iterable[dict[str, Any]]:
        pages: Iterable[dict[str, Any]] = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, **asked
        )
        return pages

    @contextmanager
    def named_errors(self, action: str) -> Iterator[None]:
        is_for_objects = "Object" in action or action == "s3:AbortMultipartUpload"
        resource = "/".join(filter(None, (self.bucket, self.prefix, "*"))) if is_for_objects else self.bucket
        with self._guarded(action), faults.named(f"{action} on arn:aws:s3:::{resource}", is_logged=self._is_logged):
            yield

    def _guarded(self, action: str) -> AbstractContextManager[None]:
        if not self._is_logged:
            return nullcontext()
        traffic = "transfer" if action in TRANSFERS else "metadata"
        return circuits.guarded("store", traffic, is_answering=_is_answering, refusal=StorePausedError)


class _StreamPieces:
    """An object's bytes, the last of them only once the store's checksum has been compared."""

    def __init__(self, body: Any, where: dict[str, str]) -> None:
        self._body, self._where = body, where

    def __iter__(self) -> Iterator[bytes]:
        if self._body is None:
            return
        with faults.named(f"s3:GetObject on arn:aws:s3:::{self._where['Bucket']}/{self._where['Key']}"):
            held = self._body.read(PIECE)
            # The read after the last bytes is the one that compares: by then they must not be gone.
            for size in chain(repeat(PIECE, PIECES_AT_FIRST - 1), repeat(LARGE_PIECE)):
                if not (piece := self._body.read(size)):
                    break
                yield held
                held = piece
        if held:
            yield held

    def close(self) -> None:
        if self._body is not None:
            self._body.close()


def _is_answering() -> bool:
    """Return whether the store answers at all, whatever it says."""
    try:
        next(stores.hurried().probe())
    except StoreRefusedError:
        return True
    except StoreUnavailableError as error:
        return not error.is_outage
    return True


def kind_of(path: str) -> str:
    """Return the type that an object of this path is given."""
    return guess_type(path)[0] or "application/octet-stream"


def _asked(conditions: Conditions) -> dict[str, str]:
    asked = {"IfMatch": conditions.if_match, "IfNoneMatch": conditions.if_none_match}
    is_tag = conditions.if_range.startswith('"')
    # Stores differ on several ranges and on broken ones; answered whole, as from a folder.
    byte_range = ranges.single(conditions.byte_range)
    if byte_range and (is_tag or not conditions.if_range):
        asked["Range"] = byte_range
        asked["IfMatch"] = conditions.if_range or conditions.if_match
    return {name: value for name, value in asked.items() if value}
