"""Counting on the real stack: two workers, PostgreSQL and an S3 store; one scrape and one table add up to the truth."""

import uuid

import psycopg
import pytest
import requests

from tests.live.processes import eventually
from tests.live.stack import Portal
from tests.live.wire import MIB, new_folder, session_of_each_worker
from tests.mlflow_proxy.samples import value

pytestmark = pytest.mark.live

SEARCH = "/api/2.0/mlflow/experiments/search?max_results=1"
API = "/api/2.0/mlflow-artifacts"


def scraped(portal: Portal, name: str, **labels: str) -> float:
    reply = requests.get(f"{portal.url}/metrics", headers=portal.headers(), timeout=60)
    reply.raise_for_status()
    return value(reply.text, name, **labels)


def used(portal: Portal, column: str, key: str, **kind: object) -> int:
    """Return the sum of a column of usage over the rows of a key and a kind."""
    where = " AND ".join(f"{name} = %s" for name in ("key_id", *kind))
    with psycopg.connect(portal.environment["DATABASE_URL"]) as connection:
        query = f"SELECT COALESCE(SUM({column}), 0) FROM apikeys_usage WHERE {where}"
        found = connection.execute(query, (key[:20], *kind.values())).fetchone()  # type: ignore[call-overload]
    return int(found[0])


def test_calls_of_both_workers_add_up_in_scrape_and_table(local: Portal) -> None:
    key = local.issue("reader")
    labels = {"service": "platform", "traffic": "metadata", "method": "GET", "status": "200"}
    before = scraped(local, "hokusai_requests_total", **labels)
    with session_of_each_worker(local) as sessions:
        for session in sessions * 15:
            headers = {"Authorization": f"Bearer {key}"}
            session.get(f"{local.tracking_uri}{SEARCH}", headers=headers, timeout=60).raise_for_status()
    assert eventually(lambda: scraped(local, "hokusai_requests_total", **labels) == before + 30)
    assert eventually(lambda: used(local, "calls", key, status_class=2) == 30), used(local, "calls", key)


def test_bytes_of_a_transfer_are_those_that_passed(s3_direct: Portal) -> None:
    key, artifact = s3_direct.issue("contributor"), f"{new_folder()}/x.bin"
    headers, size = {"Authorization": f"Bearer {key}"}, 12 * MIB + 1
    s3_direct.ask("PUT", f"{API}/artifacts/{artifact}", data=bytes(size), headers=headers).raise_for_status()
    assert len(s3_direct.ask("GET", f"{API}/artifacts/{artifact}", headers=headers).content) == size
    assert eventually(lambda: used(s3_direct, "calls", key, traffic="transfer") == 2)
    assert (used(s3_direct, "bytes_in", key), used(s3_direct, "bytes_out", key)) == (size, size)


def test_signed_addresses_are_counted_by_method(s3_direct: Portal) -> None:
    name, folder = f"signed-{uuid.uuid4().hex[:8]}", new_folder()
    s3_direct.manage("create_service", name)
    s3_direct.manage("presign_service", name, "on")
    key = s3_direct.issue("contributor", "--service", name)
    headers = {"Authorization": f"Bearer {key}"}
    before = {method: scraped(s3_direct, "hokusai_presigned_urls_total", method=method) for method in ("GET", "PUT")}
    s3_direct.ask("PUT", f"{API}/artifacts/{folder}/x", data=b"x", headers=headers).raise_for_status()
    s3_direct.ask("GET", f"{API}/presigned/{folder}/x", headers=headers).raise_for_status()
    parts = {"path": "/home/ci/model.bin", "num_parts": 3}
    begun = s3_direct.ask("POST", f"{API}/mpu/create/{folder}", json=parts, headers=headers).json()
    after = {method: scraped(s3_direct, "hokusai_presigned_urls_total", method=method) for method in ("GET", "PUT")}
    assert (after["GET"] - before["GET"], after["PUT"] - before["PUT"]) == (1, 3)
    abort = {"path": "/home/ci/model.bin", "upload_id": begun["upload_id"]}
    s3_direct.ask("POST", f"{API}/mpu/abort/{folder}", json=abort, headers=headers).raise_for_status()
