"""Makes the bucket of compose.yaml, with versions, encryption and an end for what nobody needs; safe to run again."""

import os
from contextlib import suppress
from urllib.parse import urlsplit

import boto3

place = urlsplit(os.environ["ARTIFACTS"])
bucket, prefix = place.netloc, place.path.strip("/")
store = boto3.client("s3")
with suppress(store.exceptions.BucketAlreadyOwnedByYou, store.exceptions.BucketAlreadyExists):
    store.create_bucket(Bucket=bucket)
store.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
store.put_bucket_encryption(
    Bucket=bucket,
    ServerSideEncryptionConfiguration={"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]},
)
store.put_bucket_lifecycle_configuration(
    Bucket=bucket,
    LifecycleConfiguration={
        "Rules": [
            {
                "ID": "unfinished-uploads",
                "Status": "Enabled",
                "Filter": {"Prefix": ""},
                "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
            },
            # Each storage check leaves some: docs/operations.md.
            {
                "ID": "canaries",
                "Status": "Enabled",
                "Filter": {"Prefix": f"{prefix}/.hokusai-probe"},
                "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
                "Expiration": {"ExpiredObjectDeleteMarker": True},
            },
        ]
    },
)
print(f"{bucket}: versions, encryption, and an end for unfinished uploads and old canaries")
