"""Artifacts on the wire: whole or not at all, whatever their framing, their name or the manners of the caller."""

import json
import os
import socket
import struct
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.live.client import run_client
from tests.live.conftest import Stack
from tests.live.processes import eventually
from tests.live.stack import Portal
from tests.live.wire import (
    MIB,
    Footprint,
    connect,
    footprints,
    is_read,
    new_folder,
    send_head,
    stored,
    upstream_connections,
    wait_until_steady,
)

pytestmark = pytest.mark.live

CHUNKED = "Transfer-Encoding: chunked"
SAME_NAMES = [
    "with space.txt",
    "ünïcödé-日本.txt",
    "100%.txt",
    "pct%20lit.txt",
    "semi;colon.txt",
    "a+b&c=d.txt",
    'it\'s "quoted".txt',
    "[x]()~.txt",
    "a..b.txt",
    "@at,comma$!*.txt",
]
REFUSED_NAMES = ["pct%2Fslash.txt", "back\\slash.txt", "line%0Afeed.txt", "line\nfeed.txt", "twice%2520.txt"]
LOG_NAMES = """
    client = MlflowClient()
    for name in json.loads(os.environ["NAMES"]):
        run_id = client.create_run("0").info.run_id
        content = f"content of {name}"
        pathlib.Path(here, name).write_text(content)
        try:
            client.log_artifact(run_id, str(pathlib.Path(here, name)))
            found, folders = [], [""]
            while folders:
                for entry in client.list_artifacts(run_id, folders.pop() or None):
                    folders += [entry.path] * entry.is_dir
                    found += [] if entry.is_dir else [entry.path]
            told_sizes = [entry.file_size for entry in client.list_artifacts(run_id) if not entry.is_dir]
            result[name] = {"found": sorted(found), "sizes": told_sizes}
            target = pathlib.Path(here, run_id)
            target.mkdir()
            path = client.download_artifacts(run_id, name, str(target))
            result[name]["same"] = pathlib.Path(path).read_text() == content
        except Exception as error:
            status = getattr(getattr(error, "response", None), "status_code", None)
            result.setdefault(name, {})["error"] = [type(error).__name__, status]
"""


def test_p0_01_empty_file_is_stored_and_comes_back_empty(portal: Portal, stack: Stack) -> None:
    folder = new_folder()
    assert portal.ask("PUT", f"/api/2.0/mlflow-artifacts/artifacts/{folder}/empty", data=iter(())).status_code == 200
    listing = portal.api("GET", f"2.0/mlflow-artifacts/artifacts?path={folder}")["files"]
    assert [(entry["path"], int(entry.get("file_size", 0))) for entry in listing] == [("empty", 0)]
    assert portal.ask("GET", f"/api/2.0/mlflow-artifacts/artifacts/{folder}/empty").content == b""
    assert stored(portal, stack.store, f"{folder}/empty") == b""


def test_p0_02_chunked_upload_is_stored_whole(portal: Portal, stack: Stack) -> None:
    artifact = f"{new_folder()}/hello"
    credential = f"Authorization: Bearer {portal.key()}"
    command = ["curl", "-sS", "--fail-with-body", "-T", "-", "-H", credential, f"{portal.artifacts}/{artifact}"]
    subprocess.run(command, input=b"hello world", check=True, capture_output=True)
    assert stored(portal, stack.store, artifact) == b"hello world"


@pytest.mark.parametrize("leaves", ["by closing", "by reset"])
@pytest.mark.parametrize(
    ("framing", "sent"),
    [
        ("Content-Length: 1000", b"x" * 100),
        (CHUNKED, b"64\r\n" + b"x" * 100 + b"\r\n"),
        (CHUNKED, b"64\r\n" + b"x" * 50),
    ],
    ids=["length", "whole chunk", "half chunk"],
)
def test_p0_03_upload_cut_short_leaves_nothing(
    portal: Portal, stack: Stack, framing: str, sent: bytes, leaves: str
) -> None:
    artifact, log = f"{new_folder()}/cut", portal.watch()
    with connect(portal) as connection:
        send_head(connection, portal, "PUT", artifact, framing)
        connection.sendall(sent)
        # A reset throws away what nobody has read yet, the head too.
        assert eventually(lambda: is_read(connection))
        if leaves == "by reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert log.codes(1, artifact) == [400]
    assert eventually(lambda: stored(portal, stack.store, artifact), patience=1) is None


def test_p0_03_broken_chunk_leaves_nothing_and_is_a_400(portal: Portal, stack: Stack) -> None:
    artifact = f"{new_folder()}/broken"
    with connect(portal) as connection:
        send_head(connection, portal, "PUT", artifact, CHUNKED)
        connection.sendall(b"b\r\nhello world\r\nnot-a-size\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 400 ")
    assert eventually(lambda: stored(portal, stack.store, artifact), patience=1) is None


def test_upload_cut_short_does_not_replace_what_was_there(portal: Portal, stack: Stack) -> None:
    artifact, log = f"{new_folder()}/kept", portal.watch()
    portal.ask("PUT", f"/api/2.0/mlflow-artifacts/artifacts/{artifact}", data=b"first").raise_for_status()
    with connect(portal) as connection:
        send_head(connection, portal, "PUT", artifact, "Content-Length: 1000")
        connection.sendall(b"second")
    assert log.codes(2, artifact) == [200, 400]
    assert stored(portal, stack.store, artifact) == b"first"


@pytest.fixture
def gigabyte(local: Portal) -> str:
    """Return the artifact path of a sparse file of 1 GiB."""
    artifact = f"{new_folder()}/gigabyte"
    path = Path(local.mlflow.destination, artifact)
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        file.truncate(1024 * MIB)
    return artifact


def test_p0_06_reader_who_leaves_ends_the_connection_to_mlflow(local: Portal, gigabyte: str) -> None:
    log = local.watch()
    with connect(local, receive_buffer=65536) as connection:
        send_head(connection, local, "GET", gigabyte)
        assert connection.recv(1024).startswith(b"HTTP/1.1 200 ")
        port = wait_until_steady(local)
    assert eventually(lambda: port not in upstream_connections(local))
    assert eventually(lambda: log.events("reply_aborted"))


def test_p0_06_slow_reader_is_waited_for_without_memory_and_gets_all(local: Portal, gigabyte: str) -> None:
    with footprints(local) as (own, _), connect(local, receive_buffer=65536) as connection:
        send_head(connection, local, "GET", gigabyte, "Connection: close")
        head, _, rest = connection.recv(65536).partition(b"\r\n\r\n")
        port = wait_until_steady(local)
        unread = upstream_connections(local)[port]
        received, buffer = len(rest), bytearray(MIB)
        while count := connection.recv_into(buffer):
            received += count
    assert head.startswith(b"HTTP/1.1 200 ")
    assert received == 1024 * MIB
    assert unread < 16 * MIB
    assert own.growth < 64 * MIB


def log_both_ways(portal: Portal, names: list[str]) -> tuple[Any, Any]:
    """Return what a client finds who logs files of these names through the portal, and one who goes to MLflow."""
    ways = ((portal.tracking_uri, portal.key()), (portal.mlflow.tracking_uri, None))
    with ThreadPoolExecutor() as pool:
        clients = [pool.submit(run_client, LOG_NAMES, uri, key, NAMES=json.dumps(names)) for uri, key in ways]
        through, direct = (client.result() for client in clients)
    return through, direct


def test_p0_07_names_are_kept_as_mlflow_keeps_them(portal: Portal) -> None:
    through, direct = log_both_ways(portal, SAME_NAMES)
    assert through == direct
    assert all("error" not in outcome for outcome in through.values())


def test_p0_07_ambiguous_name_is_a_400_at_once(local: Portal) -> None:
    log = local.watch()
    names = {"NAMES": json.dumps(REFUSED_NAMES)}
    outcomes = run_client(LOG_NAMES, local, local.key(), **names)
    assert {name: outcome["error"][1] for name, outcome in outcomes.items()} == dict.fromkeys(REFUSED_NAMES, 400)
    assert log.codes(len(REFUSED_NAMES), ".txt") == [400] * len(REFUSED_NAMES)


def test_p0_08_names_that_the_client_cuts_off_are_cut_off_the_same(local: Portal) -> None:
    log = local.watch()
    through, direct = log_both_ways(local, ["hash#x.txt", "query?x.txt"])
    assert through == direct
    assert [(request, code) for request, code in log.requests() if code >= 500] == []


def test_p0_09_repeated_query_keys_keep_their_order(local: Portal) -> None:
    prefix = new_folder()[2:10]
    made = [
        local.api("POST", "2.0/mlflow/experiments/create", json={"name": f"{prefix}-{letter}"})["experiment_id"]
        for letter in "zya"
    ]
    query = [("max_results", "10"), ("filter", f"name LIKE '{prefix}-%'")]
    orders = [("order_by", "name ASC"), ("order_by", "experiment_id ASC")]

    def ids(order: list[tuple[str, str]]) -> list[str]:
        found = local.api("GET", "2.0/mlflow/experiments/search", params=query + order)["experiments"]
        return [experiment["experiment_id"] for experiment in found]

    assert ids(orders) == made[::-1]
    assert ids(orders[::-1]) == made


def test_long_request_target_reaches_mlflow(local: Portal) -> None:
    query = "&".join(f"run_id={number:032x}" for number in range(100)) + "&metric_key=" + "m" * 3000
    reply = local.ask("GET", f"/ajax-api/2.0/mlflow/metrics/get-history-bulk?{query}")
    assert len(query) > 7000
    assert (reply.status_code, reply.json()) == (200, {"metrics": []})


def test_footprint_sees_a_file_that_grows(tmp_path: Path) -> None:
    with Footprint([os.getpid()]) as seen, (tmp_path / "growing").open("wb") as file:
        file.write(b"x" * 70000)
        file.flush()
        assert eventually(lambda: seen.largest_file >= 70000)
