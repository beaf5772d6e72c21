"""compose.yaml for real: a registration through the front proxy, and what the front proxy keeps from the portal."""

import hashlib
import secrets
import socket
import ssl

import pytest
import requests

from tests.images import engine
from tests.images.compose import START_SECONDS, UI_HOST, URL, Project
from tests.images.conftest import verify_registry
from tests.live.processes import eventually

pytestmark = pytest.mark.compose

ARTIFACTS = f"{URL}/api/mlflow/api/2.0/mlflow-artifacts/artifacts/0/{'0' * 32}/artifacts"
SEARCH = f"{URL}/api/mlflow/api/2.0/mlflow/experiments/search"


def _all_answer(project: Project, client: requests.Session) -> bool:
    """Whether the front proxy knows every portal: each has more calls in its log than before."""
    before = {name: _calls(name) for name in project.containers("portal")}
    for _ in range(2 * len(before)):
        client.get(SEARCH, params={"max_results": 1}, timeout=60)
    return all(_calls(name) > count for name, count in before.items())


def _calls(name: str) -> int:
    return engine.podman("logs", name).count("GET /api/mlflow/api/2.0/mlflow/experiments/search")


def exchange(project: Project, request: bytes, host: str = "localhost") -> bytes:
    """Send bytes over TLS and return everything until the proxy closes."""
    context = ssl.create_default_context(cafile=project.certificate)
    plain = socket.create_connection(("localhost", 443), timeout=40)
    with context.wrap_socket(plain, server_hostname=host) as secured:
        secured.sendall(request)
        found = b""
        while part := secured.recv(65536):
            found += part
    return found


def test_registration_through_the_front_proxy(project):
    verify_registry(URL, project.key(), REQUESTS_CA_BUNDLE=str(project.certificate))


def test_every_container_runs_or_has_done_its_part(project):
    states = project.states()
    assert {states[name] for service in ("migrate", "bucket") for name in project.containers(service)} == {"exited"}
    assert sum(state == "running" for state in states.values()) == 8


def test_two_portals_answer(project):
    assert len(project.containers("portal")) == 2


def test_portal_may_do_in_the_store_what_it_needs_to(project):
    project.manage("check_storage")


def test_large_artifact_flows_through(project, client):
    content = secrets.token_bytes(64 * 1024**2)
    assert client.put(f"{ARTIFACTS}/large.bin", data=content, timeout=120).status_code == 200
    found = client.get(f"{ARTIFACTS}/large.bin", timeout=120).content
    assert hashlib.sha256(found).digest() == hashlib.sha256(content).digest()
    assert client.delete(f"{ARTIFACTS}/large.bin", timeout=60).status_code == 200


def test_json_body_over_the_limit_is_413_json(client):
    reply = client.post(SEARCH, data=b"x" * (17 * 1024**2), timeout=60)
    assert (reply.status_code, reply.json()["reason"]) == (413, "BODY_TOO_LARGE")


@pytest.mark.parametrize(
    ("request_head", "status"),
    [
        (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 9000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: other\r\n\r\n", 400),
        (b"nonsense\r\n\r\n", 400),
    ],
    ids=["line", "header", "two hosts", "nonsense"],
)
def test_request_that_the_proxy_refuses_is_json(project, request_head, status):
    head, _, body = exchange(project, request_head).partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status}".encode())
    assert b"application/json" in head
    assert b'"reason":"BAD_REQUEST"' in body


def test_head_that_never_ends_is_closed(project):
    exchange(project, b"GET / HTTP/1.1\r\nHost: localhost\r\n")


def test_long_request_line_reaches_the_portal(client):
    reply = client.get(f"{URL}/api/mlflow/api/2.0/mlflow/runs/get", params={"run_id": "x" * 7900}, timeout=30)
    assert reply.headers["Content-Type"] == "application/json"
    assert reply.json()["error_code"] != "BAD_REQUEST"


def test_forwarded_address_of_a_caller_is_not_believed(project):
    key = project.key("--allow-ip", "203.0.113.7")
    headers = {"Authorization": f"Bearer {key}", "X-Forwarded-For": "203.0.113.7", "Forwarded": "for=203.0.113.7"}
    reply = requests.get(SEARCH, headers=headers, verify=project.certificate, timeout=30)
    assert (reply.status_code, reply.json()["reason"]) == (403, "ADDRESS_REFUSED")


@pytest.mark.parametrize(("path", "status"), [("/api/mlflow/x", 400), ("/mlflow/", 400), ("/admin/", 301), ("/", 301)])
def test_plain_http_is_led_on_for_pages_alone(project, path, status):
    reply = requests.get(f"http://localhost{path}", allow_redirects=False, timeout=30)
    assert reply.status_code == status
    if status == 400:
        assert reply.json()["reason"] == "HTTPS_NEEDED"


@pytest.mark.parametrize("port", [5000, 5432, 6379, 8000, 8333, 8888])
def test_nothing_but_the_front_proxy_is_published(project, port):
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_replica_that_is_killed_is_passed_over(project, client):
    assert eventually(lambda: _all_answer(project, client), START_SECONDS)
    victim = project.containers("portal")[1]
    engine.podman("kill", victim)
    try:
        answers = [client.get(SEARCH, params={"max_results": 1}, timeout=60) for _ in range(20)]
    finally:
        engine.podman("start", victim)
    assert [answer.json() for answer in answers if answer.status_code != 200] == []


def test_registry_without_a_portal_says_so_in_json(project, client):
    portals = project.containers("portal")
    engine.podman("stop", "--time", "5", *portals)
    try:
        replies = [
            client.get(SEARCH, params={"max_results": 1}, timeout=60),
            client.post(SEARCH, json={"max_results": 1}, timeout=60),
            client.put(f"{ARTIFACTS}/a.txt", data=b"bytes", timeout=60),
        ]
    finally:
        engine.podman("start", *portals)
        assert eventually(project.is_ready, START_SECONDS)
    for reply in replies:
        assert reply.status_code in {502, 503, 504}
        assert reply.json()["reason"] == "PORTAL_UNAVAILABLE"
        assert reply.headers["Retry-After"] == "5"


def test_second_host_is_in_the_certificate(project):
    reply = exchange(project, f"GET /live HTTP/1.1\r\nHost: {UI_HOST}\r\nConnection: close\r\n\r\n".encode(), UI_HOST)
    assert reply.startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    ("host", "path", "status", "location"),
    [
        ("localhost", "/mlflow/", 302, f"https://{UI_HOST}/mlflow/"),
        ("localhost", "/admin/", 302, "/admin/login/?next=/admin/"),
        (UI_HOST, "/", 302, "/mlflow/"),
        (UI_HOST, "/admin/", 404, None),
        (UI_HOST, "/ready", 404, None),
    ],
)
def test_each_host_has_its_own_addresses(project, host, path, status, location):
    headers = {"Host": host, "Accept": "text/html", "Sec-Fetch-Mode": "navigate"}
    reply = requests.get(f"{URL}{path}", headers=headers, verify=project.certificate, allow_redirects=False, timeout=30)
    assert (reply.status_code, reply.headers.get("Location")) == (status, location)


def test_revoked_key_is_refused_by_every_portal(project):
    key = project.key()
    headers = {"Authorization": f"Bearer {key}"}
    search = {"params": {"max_results": 1}, "headers": headers, "verify": project.certificate, "timeout": 30}
    assert {requests.get(SEARCH, **search).status_code for _ in range(6)} == {200}
    project.manage("revoke_key", key[: len("hk_live_") + 12], "--reason", "test")
    assert {requests.get(SEARCH, **search).status_code for _ in range(20)} == {401}
