"""Large files through the portal: every byte, once, in flat memory, and never by way of the store's own address."""

import hashlib
import http.client
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.live.client import run_client
from tests.live.conftest import Stack
from tests.live.processes import eventually
from tests.live.stack import Portal
from tests.live.wire import MIB, Footprint, connect, footprints, new_folder, send_head

pytestmark = pytest.mark.live

SIZE = 2048 * MIB
LOG_AND_FETCH = """
    import hashlib
    def digest(path):
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    size = int(os.environ["SIZE"])
    source = here / "large.bin"
    with source.open("wb") as file:
        file.write(os.urandom(2**20))
        file.truncate(size - 2**20)
        file.seek(0, 2)
        file.write(os.urandom(2**20))
    client = MlflowClient()
    experiment_id = client.create_experiment(os.environ["EXPERIMENT"])
    run_id = client.create_run(experiment_id).info.run_id
    client.log_artifact(run_id, str(source), "as text")
    if "AS_PATH" in os.environ:
        client.log_artifact(run_id, source, "as path")
    result["sizes"] = {
        entry.path: entry.file_size
        for folder in client.list_artifacts(run_id)
        for entry in client.list_artifacts(run_id, folder.path)
    }
    fetched = client.download_artifacts(run_id, "as text/large.bin", str(here))
    result["same"] = digest(fetched) == digest(source)
    result["uri"] = client.get_run(run_id).info.artifact_uri
    client.delete_run(run_id)
"""


def blocks(digest: "hashlib._Hash") -> Iterator[bytes]:
    """Yield SIZE bytes in which no two blocks are alike, and note them in the digest."""
    filling = bytes(range(256)) * 4096
    for number in range(SIZE // MIB):
        block = number.to_bytes(8, "big") + filling[8:]
        digest.update(block)
        yield block


@pytest.fixture(scope="module", params=["local", "s3_direct"])
def journey(request: pytest.FixtureRequest, stack: Stack) -> dict[str, object]:
    """Send 2 GiB up and fetch them again; return what was seen on the way."""
    local: Portal = getattr(stack, request.param)
    parts = urlsplit(f"{local.artifacts}/{new_folder()}/two-gibibytes")
    headers = local.headers() | {"Content-Length": str(SIZE)}
    sent, received = hashlib.sha256(), hashlib.sha256()
    local.api("GET", "2.0/mlflow/experiments/search?max_results=1")  # both sides are warm
    with footprints(local) as (up, upstream_up):
        connection = http.client.HTTPConnection(parts.netloc, timeout=300)
        connection.request("PUT", parts.path, body=blocks(sent), headers=headers)
        put_status = connection.getresponse().status
        connection.close()
    with footprints(local) as (down, upstream_down):
        connection = http.client.HTTPConnection(parts.netloc, timeout=300)
        connection.request("GET", parts.path, headers=local.headers())
        reply, count, buffer = connection.getresponse(), 0, bytearray(MIB)
        while size := reply.readinto(buffer):
            received.update(memoryview(buffer)[:size])
            count += size
        connection.close()
    local.ask("DELETE", parts.path.removeprefix("/api/mlflow")).raise_for_status()
    return {
        "portal": local,
        "put": put_status,
        "count": count,
        "digests": (sent.hexdigest(), received.hexdigest()),
        "own": (up, down),
        "upstream": (upstream_up, upstream_down),
    }


def test_p0_04_two_gibibytes_come_back_the_same(journey: dict[str, object]) -> None:
    sent, received = journey["digests"]  # type: ignore[misc]
    assert (journey["put"], journey["count"]) == (200, SIZE)
    assert sent == received


@pytest.mark.parametrize("way", ["up", "down"])
def test_p0_04_two_gibibytes_leave_the_portal_s_memory_flat(journey: dict[str, object], way: str) -> None:
    own, upstream = ({"up": pair[0], "down": pair[1]}[way] for pair in (journey["own"], journey["upstream"]))  # type: ignore[index]
    print(f"growth on the way {way}: portal {own.growth / MIB:.0f} MiB, MLflow {upstream.growth / MIB:.0f} MiB")
    assert own.growth < 64 * MIB


@pytest.mark.parametrize("way", [0, 1], ids=["up", "down"])
def test_p0_04_two_gibibytes_leave_no_copy_in_the_portal(journey: dict[str, object], way: int) -> None:
    own: Footprint = journey["own"][way]  # type: ignore[index]
    local: Portal = journey["portal"]  # type: ignore[assignment]
    assert own.largest_file < MIB
    assert [path for path in local.temporary.rglob("*") if path.is_file() and path.stat().st_size > MIB] == []


def test_64_mebibytes_come_back_the_same(portal: Portal) -> None:
    facts = {"SIZE": str(64 * MIB), "EXPERIMENT": f"64 MiB {new_folder()[2:10]}"}
    outcome = run_client(LOG_AND_FETCH, portal, portal.key(), **facts)
    assert (outcome["same"], outcome["sizes"]) == (True, {"as text/large.bin": 64 * MIB})


def test_p0_13_client_without_cloud_credentials_moves_600_mebibytes(s3: Portal) -> None:
    log = s3.watch()
    facts = {"SIZE": str(600 * MIB), "EXPERIMENT": f"600 MiB {new_folder()[2:10]}", "AS_PATH": "1"}
    outcome = run_client(LOG_AND_FETCH, s3, s3.key(), **facts)
    assert outcome["uri"].startswith("mlflow-artifacts:/")
    assert outcome["sizes"] == {"as text/large.bin": 600 * MIB, "as path/large.bin": 600 * MIB}
    assert outcome["same"]
    folder = urlsplit(s3.artifacts).path + outcome["uri"].removeprefix("mlflow-artifacts:")
    assert log.codes(2, f"PUT {folder}/") == [200, 200]
    assert log.requests("/mpu/") == log.requests("presigned") == []


def test_transfers_that_stand_still_do_not_hold_up_metadata(local: Portal) -> None:
    folder, threads = new_folder(), []
    go_on = threading.Event()

    def slow_body() -> Iterator[bytes]:
        yield b"x" * 1000
        go_on.wait(60)
        yield b"y" * 1000

    def upload(number: int) -> None:
        parts = urlsplit(f"{local.artifacts}/{folder}/{number}")
        connection = http.client.HTTPConnection(parts.netloc, timeout=120)
        connection.request("PUT", parts.path, slow_body(), local.headers() | {"Content-Length": "2000"})
        statuses.append(connection.getresponse().status)
        connection.close()

    statuses: list[int] = []
    for number in range(4):
        threads.append(threading.Thread(target=upload, args=(number,)))
        threads[-1].start()
    try:
        for _ in range(20):
            local.api("GET", "2.0/mlflow/experiments/search?max_results=1")
        is_still_standing = not statuses
    finally:
        go_on.set()
        for thread in threads:
            thread.join()
    assert is_still_standing
    assert eventually(lambda: statuses == [200] * 4)


@pytest.fixture
def one_connection(stack: Stack, local: Portal) -> Iterator[Portal]:
    """A portal whose workers have one connection to the database each."""
    database, more = local.environment["DATABASE_URL"], {"HOKUSAI_DATABASE_POOL_SIZE": "1"}
    portal = Portal("portal-one-connection", stack.folder, mlflow=local.mlflow, database=database, twin=local, **more)
    portal.start()
    try:
        portal.wait_until_ready()
        yield portal
    finally:
        portal.end()


def test_downloads_that_stand_still_hold_no_connection_to_the_database(one_connection: Portal) -> None:
    artifact = f"{new_folder()}/large"
    one_connection.ask("PUT", f"/api/2.0/mlflow-artifacts/artifacts/{artifact}", data=bytes(64 * MIB))
    standing = [connect(one_connection, receive_buffer=4096) for _ in range(6)]
    try:
        for connection in standing:
            send_head(connection, one_connection, "GET", artifact)
            assert connection.recv(12) == b"HTTP/1.1 200"
        for _ in range(20):
            one_connection.api("GET", "2.0/mlflow/experiments/search?max_results=1")
    finally:
        for connection in standing:
            connection.close()
