"""Turn what S3 and botocore say into the portal's errors: the cause for the operator, a sentence for the caller.

A fault that only an operator can end is told from one that passes; repeats are left to whoever may repeat.
"""

from collections.abc import Iterator
from contextlib import contextmanager

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
_CREDENTIALS_ABSENT = (
    botocore.NoCredentialsError,
    botocore.PartialCredentialsError,
    botocore.CredentialRetrievalError,
)


def status_of(error: ClientError) -> int:
    """Return the HTTP status of S3's answer; a HEAD has no other word."""
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return int(status)


def etag_of(error: ClientError) -> str:
    """Return the entity tag of the version that S3 did not send, because the caller has it."""
    etag: str = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("etag", "")
    return etag


@contextmanager
def named(action: str) -> Iterator[None]:
    """Raise the portal's errors for botocore's; ``action`` is the permission that the call needs, and on what."""
    try:
        yield
    except ClientError as error:
        raise _of_answer(error, action) from None
    except _CREDENTIALS_ABSENT as error:
        hint = "Give the portal a task role, or AWS_* variables."
        raise _logged(StoreRefusedError(reason="STORE_CREDENTIALS_REJECTED", hint=hint), error) from None
    except (BotoCoreError, HTTPError, OSError) as error:
        raise _logged(StoreUnavailableError(), error) from None


def _of_answer(error: ClientError, action: str) -> ProxyError:
    code, status = error.response["Error"].get("Code", ""), status_of(error)
    if (callers := _of_caller(error, code)) is not None:
        return callers
    if reason := REASONS_TO_WAIT.get(code, "STORE_UNAVAILABLE" if status >= 500 else ""):
        return _logged(StoreUnavailableError(reason=reason), error)
    # A HEAD carries a bare status: 403 may also stand for a missing object where s3:ListBucket is missing.
    reason, hint = REASONS_TO_ACT.get(
        "AccessDenied" if code == "403" else code, ("STORE_FAILED", "The store said: {code}.")
    )
    return _logged(StoreRefusedError(reason=reason, hint=hint.format(action=action, code=code)), error)


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


def _logged[E: StoreRefusedError | StoreUnavailableError](named: E, cause: Exception) -> E:
    code = cause.response["Error"].get("Code") if isinstance(cause, ClientError) else type(cause).__name__
    log.error("artifact_store_failed", reason=named.reason, code=code, hint=named.hint)
    metrics.count_store_fault(named.reason)
    return named
