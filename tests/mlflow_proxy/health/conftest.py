"""Stores to ask: a folder, a bucket on moto, and one that a stub plays; and the settings that lead there."""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from mlflow_proxy.artifacts import storage, stores
from mlflow_proxy.health import mlflow
from tests.mlflow_proxy.stub import Stub

BUCKET, PREFIX = "registry", "artifacts/root"


@pytest.fixture(autouse=True)
def _fresh_stores() -> Iterator[None]:
    stores._store.cache_clear()
    yield
    stores._store.cache_clear()


@pytest.fixture(autouse=True)
def _patient_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    """What answers is a thread of this process, and stands still with it."""
    monkeypatch.setattr(mlflow, "PROBE_SECONDS", 30.0)
    monkeypatch.setattr(storage, "HURRIED_SECONDS", 30.0)


@pytest.fixture(scope="session")
def moto() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials of nobody, from the environment and from nowhere else."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "nobody",
        "AWS_SECRET_ACCESS_KEY": "no-secret-of-anybody",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def use_bucket(settings: Any, credentials: None) -> Callable[[str], None]:
    """Point the portal's settings at a bucket behind an endpoint."""

    def point(endpoint: str, bucket: str = BUCKET) -> None:
        settings.HOKUSAI_ARTIFACT_DESTINATION = f"s3://{bucket}/{PREFIX}"
        settings.HOKUSAI_ARTIFACT_MODE = "direct"
        options = {"bucket_name": bucket, "location": PREFIX, "endpoint_url": endpoint}
        backend = "mlflow_proxy.artifacts.storage.ArtifactBucket"
        settings.STORAGES = settings.STORAGES | {"artifacts": {"BACKEND": backend, "OPTIONS": options}}
        stores._store.cache_clear()

    return point


@pytest.fixture
def bucket(moto: str, use_bucket: Callable[[str], None]) -> Any:
    """An empty bucket on moto, which the portal's settings lead to; the client of its owner."""
    use_bucket(moto)
    owner = boto3.client("s3", endpoint_url=moto)
    with contextlib.suppress(owner.exceptions.NoSuchBucket):
        for item in owner.list_object_versions(Bucket=BUCKET).get("Versions", ()):
            owner.delete_object(Bucket=BUCKET, Key=item["Key"], VersionId=item["VersionId"])
        for marker in owner.list_object_versions(Bucket=BUCKET).get("DeleteMarkers", ()):
            owner.delete_object(Bucket=BUCKET, Key=marker["Key"], VersionId=marker["VersionId"])
        owner.delete_bucket(Bucket=BUCKET)
    owner.create_bucket(Bucket=BUCKET)
    return owner


@pytest.fixture
def s3_stub(use_bucket: Callable[[str], None]) -> Iterator[Stub]:
    """A store that says what a test wants, over sockets."""
    stub = Stub()
    use_bucket(stub.url)
    yield stub
    stub.stop()


@pytest.fixture
def folder(settings: Any, tmp_path: Path) -> Path:
    settings.HOKUSAI_ARTIFACT_DESTINATION = str(tmp_path)
    settings.HOKUSAI_ARTIFACT_MODE = "direct"
    return tmp_path
