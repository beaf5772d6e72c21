"""Makes the bucket of compose.yaml, with versions, encryption and an end for unfinished uploads; safe to run again."""

import os
from contextlib import suppress
from urllib.parse import urlsplit

import boto3

bucket = urlsplit(os.environ["ARTIFACTS"]).netloc
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
            }
        ]
    },
)
print(f"{bucket}: versions, encryption and an end for unfinished uploads")
