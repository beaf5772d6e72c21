#!/bin/sh
# Starts the S3 store with three identities: one that makes the bucket, and two that use it.
set -eu
umask 077
bucket=${ARTIFACTS#s3://}
bucket=${bucket%%/*}
identity() {
    printf '{"name":"%s","credentials":[{"accessKey":"%s","secretKey":"%s"}],"actions":[%s]}' "$1" "$1" "$2" "$3"
}
own="\"Read:$bucket\",\"Write:$bucket\",\"List:$bucket\",\"Tagging:$bucket\""
{
    printf '{"identities":['
    identity admin "$STORE_ADMIN_SECRET" '"Admin","Read","Write","List","Tagging"'
    printf ','
    identity portal "$PORTAL_STORE_SECRET" "$own"
    printf ','
    identity mlflow "$MLFLOW_STORE_SECRET" "$own"
    printf ']}'
} > /tmp/s3.json
exec weed mini -dir=/data -ip=127.0.0.1 -ip.bind=0.0.0.0 -s3.port=8333 -s3.port.iceberg=0 -s3.port.lance=0 \
    -master.telemetry=false -webdav=false -admin.ui=false -s3.config=/tmp/s3.json \
    -s3.allowDeleteBucketNotEmpty=false -s3.autoCreateBucket=false
