"""`make bench`: calls and transfers through the portal against MLflow alone, alternating, in one run; prints ratios."""

import http.client
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

ROOT = Path(__file__).resolve().parent.parent
BLOCKS, CALLS = 12, 25
TRANSFER_MIB, TRANSFER_ROUNDS = 256, 4
PIECE = bytes(1024 * 1024)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, running_stack(Path(folder)) as (portal, mlflow, key):
        sides = {"MLflow alone": (f"{mlflow}/mlflow", ""), "through the portal": (f"{portal}/api/mlflow", key)}
        print(f"\nlog_metric, blocks of {CALLS} calls in a row, {BLOCKS} blocks a side, alternating", flush=True)
        show(time_calls(sides), unit="ms", scale=1000, is_rate=False)
        # Each side's best route: MLflow's native one is un-prefixed.
        urls = {
            "MLflow alone": (f"{mlflow}/api/2.0/mlflow-artifacts/artifacts/0", ""),
            "through the portal": (f"{portal}/api/mlflow/api/2.0/mlflow-artifacts/artifacts/0", key),
        }
        for direction, move in (("upload", upload), ("download", download)):
            print(f"\n{direction} of {TRANSFER_MIB} MiB, {TRANSFER_ROUNDS} rounds a side, alternating", flush=True)
            rates: dict[str, list[float]] = {name: [] for name in urls}
            for turn in range(TRANSFER_ROUNDS):
                for name in sorted(urls, reverse=bool(turn % 2)):
                    rates[name].append(TRANSFER_MIB / move(*urls[name]))
            show(rates, unit="MiB/s", scale=1, is_rate=True)


@contextmanager
def running_stack(folder: Path) -> Iterator[tuple[str, str, str]]:
    """Start the embedded stack on free ports and yield (portal, MLflow, key)."""
    portal_port, mlflow_port = free_port(), free_port()
    environment = os.environ | {
        "HOKUSAI_DATA_DIR": str(folder),
        "PORTAL_PORT": str(portal_port),
        "MLFLOW_PORT": str(mlflow_port),
    }
    with (folder / "log").open("w") as log:
        stack = subprocess.Popen(
            [sys.executable, "-m", "hokusai_portal.stack"], cwd=ROOT, env=environment, stdout=log, stderr=log
        )
    try:
        portal = f"http://127.0.0.1:{portal_port}"
        wait_until_ready(portal, stack, folder / "log")
        issue = [sys.executable, "manage.py", "issue_key", "--name", "bench", "--preset", "operator", "--quiet"]
        key = subprocess.run(issue, cwd=ROOT, env=environment, check=True, capture_output=True, text=True)
        yield portal, f"http://127.0.0.1:{mlflow_port}", key.stdout.strip()
    finally:
        stack.send_signal(signal.SIGTERM)
        stack.wait(timeout=30)


def wait_until_ready(portal: str, stack: subprocess.Popen[bytes], log: Path) -> None:
    print("Starting MLflow and the portal …", flush=True)
    for _ in range(240):
        if stack.poll() is not None:
            sys.exit(log.read_text())
        try:
            if requests.get(f"{portal}/ready", timeout=5).ok:
                return
        except requests.RequestException:
            pass
        time.sleep(0.5)
    sys.exit(log.read_text())


def time_calls(sides: dict[str, tuple[str, str]]) -> dict[str, list[float]]:
    words = [f"{name}={uri}" + (f"={token}" if token else "") for name, (uri, token) in sides.items()]
    command = [ROOT / ".venv-mlflow" / "bin" / "python", ROOT / "bench" / "client.py", str(BLOCKS), str(CALLS), *words]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    seconds: dict[str, list[float]] = json.loads(done.stdout)
    return seconds


def upload(url: str, key: str) -> float:
    host, path = url.removeprefix("http://").split("/", 1)
    connection = http.client.HTTPConnection(host)
    headers = {"Content-Length": str(TRANSFER_MIB * len(PIECE))} | ({"X-API-Key": key} if key else {})
    started = time.perf_counter()
    body = (PIECE for _ in range(TRANSFER_MIB))
    connection.request("PUT", f"/{path}/run/artifacts/bench.bin", body=body, headers=headers)
    reply = connection.getresponse()
    reply.read()
    if reply.status != 200:
        sys.exit(f"upload answered {reply.status}")
    return time.perf_counter() - started


def download(url: str, key: str) -> float:
    host, path = url.removeprefix("http://").split("/", 1)
    connection = http.client.HTTPConnection(host)
    started = time.perf_counter()
    connection.request("GET", f"/{path}/run/artifacts/bench.bin", headers={"X-API-Key": key} if key else {})
    reply = connection.getresponse()
    count = 0
    while piece := reply.read(len(PIECE)):
        count += len(piece)
    if reply.status != 200 or count != TRANSFER_MIB * len(PIECE):
        sys.exit(f"download answered {reply.status} with {count} bytes")
    return time.perf_counter() - started


def show(measured: dict[str, list[float]], *, unit: str, scale: float, is_rate: bool) -> None:
    alone = statistics.median(measured["MLflow alone"])
    print(f"  {'':<20} {'p50':>9} {'p90':>9}   ratio of p50 to MLflow alone")
    for name, values in measured.items():
        ordered = sorted(values, reverse=is_rate)
        middle, ninetieth = statistics.median(ordered), ordered[int(len(ordered) * 0.9)]
        ratio = middle / alone
        print(f"  {name:<20} {middle * scale:>9.1f} {ninetieth * scale:>9.1f} {unit:<5} {ratio:.2f}", flush=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


if __name__ == "__main__":
    main()
