"""Sign addresses of the store for one object, one method and a few minutes; decides nobody's right to them.

An address works for whoever holds it, until it ends. It is signed for the endpoint that callers reach, with the
portal's own credentials, temporary ones included.
"""

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from mlflow_proxy.artifacts.storage import BucketStore, kind_of
from mlflow_proxy.artifacts.stores import SignedDownload
from mlflow_proxy.exceptions import ArtifactMissingError


class BucketSigner:
    """Implements stores.Signer for a bucket."""

    def __init__(self, store: BucketStore) -> None:
        self._store = store

    def size(self, path: str) -> int:
        with self._store.named_errors("s3:GetObject"):
            return int(self._store.client.head_object(**self._store.where(path))["ContentLength"])

    def sign_download(self, path: str, *, disposition: str, seconds: int) -> SignedDownload:
        size = self.size(path)
        # Whatever type the object carries, a browser that opens the address saves a file.
        told = {"ResponseContentDisposition": disposition, "ResponseContentType": "application/octet-stream"}
        url = self._store.public_client.generate_presigned_url(
            "get_object", Params=self._store.where(path) | told, ExpiresIn=seconds, HttpMethod="GET"
        )
        return SignedDownload(url, size)

    def begin(self, path: str) -> str:
        with self._store.named_errors("s3:PutObject"):
            created = self._store.client.create_multipart_upload(**self._store.where(path), ContentType=kind_of(path))
        upload_id: str = created["UploadId"]
        return upload_id

    def sign_parts(self, path: str, upload_id: str, count: int, *, seconds: int) -> list[str]:
        sign, where = self._store.public_client.generate_presigned_url, self._upload(path, upload_id)
        return [
            sign("upload_part", Params=where | {"PartNumber": number}, ExpiresIn=seconds, HttpMethod="PUT")
            for number in range(1, count + 1)
        ]

    def complete(self, path: str, upload_id: str, parts: Iterable[tuple[int, str]]) -> None:
        listed: list[dict[str, Any]] = [{"PartNumber": number, "ETag": etag} for number, etag in sorted(parts)]
        with self._store.named_errors("s3:PutObject"):
            self._store.client.complete_multipart_upload(
                **self._upload(path, upload_id), MultipartUpload={"Parts": listed}
            )

    def abort(self, path: str, upload_id: str) -> None:
        with self._store.named_errors("s3:AbortMultipartUpload"), suppress(ArtifactMissingError):
            self._store.client.abort_multipart_upload(**self._upload(path, upload_id))

    def _upload(self, path: str, upload_id: str) -> dict[str, str]:
        return self._store.where(path) | {"UploadId": upload_id}
