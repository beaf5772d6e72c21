"""An upload in parts to a bucket: one object with its last part, or ended without a trace; chooses no path.

Every part travels with its checksum, and the store compares what it made of them with that of all bytes received.
"""

import base64
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from botocore.exceptions import BotoCoreError, ClientError

from mlflow_proxy import metrics
from mlflow_proxy.artifacts import faults, parts
from mlflow_proxy.exceptions import BodyTooLargeError, StoreUnavailableError

log = structlog.get_logger(__name__)


class MultipartUpload:
    """Begun when made; ``where`` names bucket and key. Raises what boto3 raises, and faults.PartsLostError."""

    def __init__(self, client: Any, where: dict[str, str], **kind: str) -> None:
        whole = {"ChecksumAlgorithm": "CRC32", "ChecksumType": "FULL_OBJECT"}
        created = client.create_multipart_upload(**where, **kind, **whole)
        self._client, self._where = client, where
        self._upload = where | {"UploadId": created["UploadId"]}
        self._carried: dict[int, dict[str, Any]] = {}
        self._size, self._crc = 0, 0
        self._answer: dict[str, Any] = {}

    def carry(self, part: bytearray, others: Iterator[bytearray]) -> None:
        """Send all parts; returns when the store has them. Raises BodyTooLargeError beyond what parts can carry.

        ``part`` is the first, and to be held by nobody else: parts are what an upload takes of memory.
        """
        convoy = parts.Convoy(self._send)
        try:
            for number in range(1, parts.MAXIMUM_PARTS + 1):
                self._size, self._crc = self._size + len(part), zlib.crc32(part, self._crc)
                convoy.send(number, part)
                # Dropped before the next one fills: it may be on its way still, but is counted there.
                part = bytearray()
                part = next(others, part)
                if not part:
                    break
            else:
                raise BodyTooLargeError("The upload is larger than 10,000 parts can carry, 302 GiB.")
            convoy.arrive()
        except BaseException:
            convoy.halt()
            raise

    def complete(self) -> None:
        """Make the parts one object."""
        with _naming_lost_parts():
            self._answer = self._client.complete_multipart_upload(
                **self._upload,
                MultipartUpload={"Parts": [self._carried[number] for number in sorted(self._carried)]},
                MpuObjectSize=self._size,
                ChecksumType="FULL_OBJECT",
                ChecksumCRC32=base64_of(self._crc),
            )

    def verify(self) -> None:
        """Raise StoreUnavailableError, and take the object away, where the store made other bytes of the parts."""
        if self._answer.get("ChecksumCRC32", base64_of(self._crc)) == base64_of(self._crc):
            return
        # A store that knows the sum and did not compare it.
        log.error("artifact_store_failed", reason="DIGEST_MISMATCH", key=self._where["Key"])
        metrics.count_store_fault("DIGEST_MISMATCH")
        version = {"VersionId": self._answer["VersionId"]} if "VersionId" in self._answer else {}
        self._client.delete_object(**self._where, **version)
        raise StoreUnavailableError(reason="DIGEST_MISMATCH")

    def abort(self) -> None:
        """End the upload and drop its parts; what the store says against it is for the log."""
        abort(self._client, self._upload)

    def _send(self, number: int, part: bytearray) -> None:
        checksum = {"ChecksumCRC32": crc32(part)}
        with _naming_lost_parts():
            answer = self._client.upload_part(**self._upload, PartNumber=number, Body=part, **checksum)
        self._carried[number] = {"PartNumber": number, "ETag": answer["ETag"], **checksum}


@contextmanager
def _naming_lost_parts() -> Iterator[None]:
    """Raise PartsLostError where the store does not know upload or parts any more: no mistake of the caller's."""
    try:
        yield
    except ClientError as error:
        if faults.code_of(error) in faults.ABOUT_PARTS:
            raise faults.PartsLostError() from None
        raise


def abort(client: Any, upload: dict[str, str]) -> None:
    """End an upload of bucket, key and id; a failure is logged and swept up later."""
    try:
        client.abort_multipart_upload(**upload)
    except (ClientError, BotoCoreError) as error:
        hint = "manage.py sweep_uploads ends it, or the bucket's lifecycle rule"
        log.warning("upload_abort_failed", key=upload["Key"], error=type(error).__name__, hint=hint)


def crc32(part: bytes | bytearray) -> str:
    """Return a part's checksum as S3 writes it."""
    return base64_of(zlib.crc32(part))


def base64_of(crc: int) -> str:
    return base64.b64encode(crc.to_bytes(4, "big")).decode()
