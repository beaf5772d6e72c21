"""A bucket of its own for each test, behind an S3 protocol that checks no signature; and the portal set to use it."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from mlflow_proxy.artifacts import stores

PREFIX = "artifacts/root"
PUBLIC_HOST = "localhost"


@dataclass(frozen=True)
class Bucket:
    """What a test needs to look into the store past the portal."""

    name: str
    endpoint: str
    client: Any

    def keys(self) -> list[str]:
        found = self.client.list_objects_v2(Bucket=self.name, Prefix=PREFIX).get("Contents", [])
        return [item["Key"].removeprefix(f"{PREFIX}/") for item in found]

    def put(self, path: str, content: bytes) -> None:
        self.client.put_object(Bucket=self.name, Key=f"{PREFIX}/{path}", Body=content)

    def get(self, path: str) -> bytes:
        content: bytes = self.client.get_object(Bucket=self.name, Key=f"{PREFIX}/{path}")["Body"].read()
        return content

    def uploads(self) -> list[str]:
        found = self.client.list_multipart_uploads(Bucket=self.name).get("Uploads", [])
        return [item["Key"].removeprefix(f"{PREFIX}/") for item in found]


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


@pytest.fixture
def bucket(s3_endpoint: str, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """A bucket which the portal, in direct mode, keeps artifacts in."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "nobody's")
    name = f"registry-{uuid.uuid4().hex}"
    client = boto3.client("s3", endpoint_url=s3_endpoint, region_name="us-east-1")
    client.create_bucket(Bucket=name)
    options = {"bucket_name": name, "location": PREFIX, "endpoint_url": s3_endpoint, "region_name": "us-east-1"}
    backend = {"BACKEND": "mlflow_proxy.artifacts.storage.ArtifactBucket", "OPTIONS": options}
    settings.STORAGES = settings.STORAGES | {"artifacts": backend}
    settings.HOKUSAI_ARTIFACT_MODE, settings.HOKUSAI_ARTIFACT_DESTINATION = "direct", f"s3://{name}/{PREFIX}"
    settings.HOKUSAI_S3_PUBLIC_ENDPOINT_URL = s3_endpoint.replace("127.0.0.1", PUBLIC_HOST)
    stores._store.cache_clear()
    yield Bucket(name, s3_endpoint, client)
    stores._store.cache_clear()
