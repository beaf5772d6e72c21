"""Reads back how a bucket is set up, its clock, and whose credentials are used; judges nothing, and changes nothing."""

import json
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from mlflow_proxy.artifacts import faults, policies
from mlflow_proxy.artifacts.storage import BucketStore
from mlflow_proxy.artifacts.stores import CANARY_PREFIX, Credentials
from mlflow_proxy.exceptions import StoreUnavailableError

PUBLIC_ACCESS_FLAGS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
# botocore's words for where credentials were found.
SOURCES = {
    "explicit": "AWS_* variables",
    "env": "AWS_* variables",
    "container-role": "task role",
    "iam-role": "instance role",
    "assume-role": "assumed role",
    "assume-role-with-web-identity": "web identity role",
    "shared-credentials-file": "credentials file",
    "config-file": "configuration file",
}


class BucketInspector:
    """Implements stores.Inspector on a bucket."""

    def __init__(self, store: BucketStore) -> None:
        self._store = store

    def is_versioned(self) -> bool:
        answer = self._setting("get_bucket_versioning", "s3:GetBucketVersioning")
        return (answer or {}).get("Status") == "Enabled"

    def encryption(self) -> str:
        answer = self._setting("get_bucket_encryption", "s3:GetEncryptionConfiguration") or {}
        rules = answer.get("ServerSideEncryptionConfiguration", {}).get("Rules", [])
        words = [rule.get("ApplyServerSideEncryptionByDefault", {}).get("SSEAlgorithm", "") for rule in rules]
        return next(filter(None, words), "")

    def open_doors(self) -> list[str]:
        answer = self._setting("get_public_access_block", "s3:GetBucketPublicAccessBlock") or {}
        flags = answer.get("PublicAccessBlockConfiguration", {})
        return [flag for flag in PUBLIC_ACCESS_FLAGS if flags.get(flag) is not True]

    def is_tls_only(self) -> bool:
        answer = self._setting("get_bucket_policy", "s3:GetBucketPolicy")
        if answer is None:
            return False
        try:
            return policies.denies_plain_http(json.loads(answer["Policy"]), self._store.bucket, self._store.prefix)
        except (ValueError, AttributeError, TypeError):
            return False

    def days_until_uploads_end(self) -> int | None:
        return policies.days_until_uploads_end(self._lifecycle(), self._store.prefix)

    def days_until_canaries_end(self) -> int | None:
        return policies.days_until_versions_end(self._lifecycle(), self._store.where(CANARY_PREFIX)["Key"])

    def endpoint(self) -> str:
        url: str = self._store.client.meta.endpoint_url
        return url

    def clock(self) -> datetime:
        where = self._store.where(f"{CANARY_PREFIX}/")
        with self._store.named_errors("s3:ListBucket"):
            told = faults.date_of(
                lambda: self._store.client.list_objects_v2(Bucket=where["Bucket"], Prefix=where["Key"], MaxKeys=1)
            )
        try:
            return parsedate_to_datetime(told).astimezone(UTC)
        except ValueError:
            raise StoreUnavailableError("The store's answer carries no time.") from None

    def credentials(self) -> Credentials:
        # botocore has no public word for the credentials that a client signs with.
        found: Any = self._store.client._get_credentials()  # noqa: SLF001
        is_renewed = hasattr(found, "refresh_needed")
        ends_at: datetime | None = getattr(found, "_expiry_time", None)
        source = SOURCES.get(found.method, found.method) if found else "nowhere"
        return Credentials(source, is_renewed or bool(getattr(found, "token", "")), is_renewed, ends_at)

    def _lifecycle(self) -> list[dict[str, Any]]:
        answer = self._setting("get_bucket_lifecycle_configuration", "s3:GetLifecycleConfiguration") or {}
        rules: list[dict[str, Any]] = answer.get("Rules", [])
        return rules

    def _setting(self, operation: str, action: str) -> dict[str, Any] | None:
        """Return the store's answer, None where there is no such setting; raises what named_errors raises."""
        with self._store.named_errors(action):
            answer: dict[str, Any] | None = faults.unless_absent(
                lambda: getattr(self._store.client, operation)(Bucket=self._store.bucket)
            )
        return answer
