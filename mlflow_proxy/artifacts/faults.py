"""Turn what S3 and botocore say into the portal's errors: the cause for the operator, a sentence for the caller.

A fault that only an operator can end is told from one that passes; repeats are left to whoever may repeat.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from botocore import exceptions as botocore
from botocore.exceptions import BotoCoreError, ClientError
from urllib3.exceptions import HTTPError

from mlflow_proxy import metrics
from mlflow_proxy.exceptions import (
    ArtifactMissingError,
    BodyRefusedError,
    LocationRefusedError,
    PreconditionFailedError,
    ProxyError,
    RangeRefusedError,
    StoreRefusedError,
    StoreUnavailableError,
)

log = structlog.get_logger(__name__)

# S3's error code to our reason and what the operator can do about it.
REASONS_TO_ACT = {
    "AccessDenied": ("STORE_DENIED", "Allow the portal's role {action}, in its policy and in the bucket's."),
    "AllAccessDisabled": ("STORE_DENIED", "Allow the portal's role {action}, in its policy and in the bucket's."),
    "InvalidAccessKeyId": ("STORE_CREDENTIALS_REJECTED", "Give the portal a task role, or valid AWS_* variables."),
    "SignatureDoesNotMatch": ("STORE_CREDENTIALS_REJECTED", "Give the portal a task role, or valid AWS_* variables."),
    "ExpiredToken": ("STORE_CREDENTIALS_EXPIRED", "Use a task role, whose credentials renew themselves."),
    "InvalidToken": ("STORE_CREDENTIALS_EXPIRED", "Use a task role, whose credentials renew themselves."),
    "RequestTimeTooSkewed": ("STORE_CLOCK_SKEWED", "Set the clock of this machine: it is off by over 15 minutes."),
    "NoSuchBucket": ("STORE_BUCKET_MISSING", "Create the bucket of HOKUSAI_ARTIFACT_DESTINATION, or correct its name."),
    "PermanentRedirect": ("STORE_REGION_WRONG", "Set AWS_DEFAULT_REGION to the bucket's region."),
    "AuthorizationHeaderMalformed": ("STORE_REGION_WRONG", "Set AWS_DEFAULT_REGION to the bucket's region."),
}
REASONS_TO_WAIT = {
    **dict.fromkeys(("SlowDown", "Throttling", "ThrottlingException", "RequestLimitExceeded"), "STORE_BUSY"),
    "BadDigest": "DIGEST_MISMATCH",
}
_UNREACHED = {
    botocore.SSLError: "The store's certificate is not trusted here, or is for another name.",
    botocore.ConnectTimeoutError: "No answer to a connection: see security groups, routes and the endpoint of S3.",
    botocore.ReadTimeoutError: "The store took the call and did not answer: see its load and its disks.",
    botocore.EndpointConnectionError: "Nothing answers there: see HOKUSAI_S3_ENDPOINT_URL, DNS, and the store itself.",
}
# How S3 says that a bucket has no such setting.
ABSENT = {
    "NoSuchBucketPolicy",
    "NoSuchLifecycleConfiguration",
    "NoSuchPublicAccessBlockConfiguration",
    "ServerSideEncryptionConfigurationNotFoundError",
}
# What a caller is to blame for who sent the parts; the portal's own parts are nobody's mistake.
ABOUT_PARTS = {"NoSuchUpload", "InvalidPart", "InvalidPartOrder", "EntityTooSmall"}
_CREDENTIALS_ABSENT = (
    botocore.NoCredentialsError,
    botocore.PartialCredentialsError,
    botocore.CredentialRetrievalError,
)


class PartsLostError(BotoCoreError):  # type: ignore[misc]  # botocore carries no types
    """The store no longer knows an upload or its parts: swept, or made one by a call whose answer was lost."""

    fmt = "The store does not know the parts of this upload any more."


def status_of(error: ClientError) -> int:
    """Return the HTTP status of S3's answer; a HEAD has no other word."""
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return int(status)


def etag_of(error: ClientError) -> str:
    """Return the entity tag of the version that S3 did not send, because the caller has it."""
    etag: str = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("etag", "")
    return etag


@contextmanager
def named(action: str, *, is_logged: bool = True) -> Iterator[None]:
    """Raise the portal's errors for botocore's; ``action`` is the permission that the call needs, and on what."""
    try:
        yield
    except (ClientError, BotoCoreError, HTTPError, OSError) as error:
        fault = _fault(error, action)
        if is_logged and isinstance(fault, StoreRefusedError | StoreUnavailableError):
            code = code_of(error) if isinstance(error, ClientError) else type(error).__name__
            log.error("artifact_store_failed", reason=fault.reason, code=code, hint=fault.hint)  # noqa: TRY400
            metrics.count_store_fault(fault.reason)
        raise fault from None


def unless_absent[T](call: Callable[[], T]) -> T | None:
    """Return what a call answers, None where S3 says that the bucket has no such setting."""
    try:
        return call()
    except ClientError as error:
        if code_of(error) in ABSENT:
            return None
        raise


def date_of(call: Callable[[], dict[str, Any]]) -> str:
    """Return the Date of a call's answer, also of the one that refuses it for its time."""
    try:
        answer = call()
    except ClientError as error:
        if code_of(error) != "RequestTimeTooSkewed":
            raise
        answer = error.response
    date: str = answer["ResponseMetadata"]["HTTPHeaders"].get("date", "")
    return date


def code_of(error: ClientError) -> str:
    return str(error.response["Error"].get("Code", ""))


def _fault(error: Exception, action: str) -> ProxyError:
    if isinstance(error, ClientError):
        return _of_answer(error, action)
    if isinstance(error, _CREDENTIALS_ABSENT):
        hint = "Give the portal a task role, or AWS_* variables."
        return StoreRefusedError(reason="STORE_CREDENTIALS_REJECTED", hint=hint)
    unreached = StoreUnavailableError()
    unreached.hint = next((hint for kind, hint in _UNREACHED.items() if isinstance(error, kind)), "")
    return unreached


def _of_answer(error: ClientError, action: str) -> ProxyError:
    code, status = code_of(error), status_of(error)
    if (callers := _of_caller(error, code)) is not None:
        return callers
    if status == 501:
        return StoreRefusedError(reason="STORE_UNSUPPORTED", hint="The store does not know this call of S3.")
    if reason := REASONS_TO_WAIT.get(code, "STORE_UNAVAILABLE" if status >= 500 else ""):
        return StoreUnavailableError(reason=reason)
    # A HEAD carries a bare status: 403 may also stand for a missing object where s3:ListBucket is missing.
    reason, hint = REASONS_TO_ACT.get(
        "AccessDenied" if code == "403" else code, ("STORE_FAILED", "The store said: {code}.")
    )
    return StoreRefusedError(reason=reason, hint=hint.format(action=action, code=code))


def _of_caller(error: ClientError, code: str) -> ProxyError | None:
    """Return what the caller asked wrongly for, None where the caller is not to blame."""
    match code:
        case "NoSuchKey" | "NoSuchUpload" | "404":
            return ArtifactMissingError()
        case "InvalidRange" | "416":
            size = error.response["Error"].get("ActualObjectSize")
            return RangeRefusedError(int(size) if size else None)
        case "PreconditionFailed" | "412":
            return PreconditionFailedError()
        case "KeyTooLongError":
            return LocationRefusedError("The path is longer than the store takes.", reason="ARTIFACT_PATH_TOO_LONG")
        case "InvalidPart" | "InvalidPartOrder" | "EntityTooSmall" | "MalformedXML":
            return BodyRefusedError(f"The store does not accept these parts as one artifact: {code}.")
    return None
