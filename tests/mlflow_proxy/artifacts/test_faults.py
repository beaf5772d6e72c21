"""Faults of the store: counted by their reason, and those of the caller not at all."""

from pathlib import Path

import pytest
from botocore.exceptions import ClientError, NoCredentialsError, ReadTimeoutError

from mlflow_proxy.artifacts import faults
from mlflow_proxy.artifacts.folder import FolderStore
from mlflow_proxy.exceptions import ProxyError
from tests.mlflow_proxy.samples import counted


def answered(code: str, status: int = 400) -> ClientError:
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "GetObject")


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (answered("AccessDenied", 403), "STORE_DENIED"),
        (answered("SlowDown", 503), "STORE_BUSY"),
        (answered("Whatever", 500), "STORE_UNAVAILABLE"),
        (answered("Whatever"), "STORE_FAILED"),
        (NoCredentialsError(), "STORE_CREDENTIALS_REJECTED"),
        (ReadTimeoutError(endpoint_url="x"), "STORE_UNAVAILABLE"),
    ],
    ids=str,
)
def test_fault_of_the_bucket_is_counted_by_its_reason(fault: Exception, reason: str) -> None:
    is_counted, is_raised = counted("hokusai_store_faults_total", reason=reason), pytest.raises(ProxyError)
    with is_counted, is_raised as raised, faults.named("s3:GetObject on arn:aws:s3:::bucket/*"):
        raise fault
    assert raised.value.reason == reason


@pytest.mark.parametrize("code", ["NoSuchKey", "InvalidRange", "PreconditionFailed", "KeyTooLongError"])
def test_mistake_of_the_caller_is_no_fault_of_the_store(code: str) -> None:
    with counted("hokusai_store_faults_total", by=0), pytest.raises(ProxyError), faults.named("s3:GetObject"):
        raise answered(code)


def test_fault_of_the_folder_is_counted_by_its_reason(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    is_counted = counted("hokusai_store_faults_total", reason="STORE_UNAVAILABLE")
    with is_counted, pytest.raises(ProxyError):
        FolderStore(str(tmp_path / "file")).save("a", [b"x"], before_commit=lambda: None)
