"""The doctor: walks the whole way, names the first hop that fails and whose fault it is, and leaves nothing behind."""

import hashlib
import json
import socket
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from mlflow_proxy.health import visitors
from mlflow_proxy.health.answers import Probe
from mlflow_proxy.health.doctor import TITLES, Walk
from mlflow_proxy.health.parcels import Pattern
from tests.certificates import make_certificates, tls_server
from tests.mlflow_proxy.health.good_portal import KEY, GoodPortal, page, refusal
from tests.mlflow_proxy.stub import Answer, Stub, ok

SIZE = 300_000
LIST = r"GET /api/mlflow/api/2\.0/mlflow/experiments/search"


@pytest.fixture
def stub() -> Iterator[Stub]:
    stub = Stub()
    yield stub
    stub.stop()


@pytest.fixture
def portal(stub: Stub) -> GoodPortal:
    portal = GoodPortal()
    stub.script = portal.script
    return portal


def walk(stub: Stub, key: str = KEY, url: str = "", **more: Any) -> list[Probe]:
    url = url or stub.url
    return list(Walk(url, f"{url}/api/mlflow", key, large_bytes=SIZE, **more))


def walk_past(stub: Stub, name: str) -> Iterator[Probe]:
    """Return the hops after ``name``: what is changed meanwhile is met by them alone, however slow the machine."""
    hops = iter(Walk(stub.url, f"{stub.url}/api/mlflow", KEY, large_bytes=SIZE))
    while next(hops).name != name:
        pass
    return hops


def names(hops: list[Probe]) -> list[str]:
    return [hop.name for hop in hops]


def test_walk_to_a_good_portal_passes_and_leaves_nothing(stub: Stub, portal: GoodPortal) -> None:
    hops = walk(stub)
    assert names(hops) == [name for name in TITLES if name != "tls"]
    assert {hop.name: hop.status for hop in hops if not hop.passed} == {"multipart": "unknown"}
    assert portal.files == {}


def test_walk_with_signed_addresses_takes_them(stub: Stub, portal: GoodPortal) -> None:
    portal.store_url = stub.url
    hops = {hop.name: hop for hop in walk(stub)}
    assert (hops["multipart"].status, hops["multipart"].detail) == ("passed", f"at {stub.netloc}")
    sent = [seen for seen in stub.seen if seen.target.startswith("/store/")]
    assert [seen.header("Authorization") for seen in sent] == [None]
    assert portal.files == {}


def test_walk_sends_a_large_file_with_its_length(stub: Stub, portal: GoodPortal) -> None:
    walk(stub)
    (sent,) = [seen for seen in stub.seen if seen.method == "PUT" and seen.target.endswith("large.bin")]
    assert (sent.header("Content-Length"), sent.header("Transfer-Encoding")) == (str(SIZE), None)


def test_walk_tells_how_far_long_hops_are(stub: Stub, portal: GoodPortal) -> None:
    told: list[tuple[str, int, int]] = []
    walk(stub, on_progress=lambda *facts: told.append(facts))
    assert {hop for hop, _, _ in told} == {"large_file", "download"}
    assert told[-1] == ("download", SIZE, SIZE)


def test_walk_that_is_left_early_cleans_up(stub: Stub, portal: GoodPortal) -> None:
    url = stub.url
    for hop in Walk(url, f"{url}/api/mlflow", KEY, large_bytes=SIZE):
        if hop.name == "large_file":
            break
    assert portal.files == {}


def test_walk_uses_no_proxy_and_no_netrc_of_this_machine(
    stub: Stub, portal: GoodPortal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login a password b\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert all(hop.status != "failed" for hop in walk(stub))


# What breaks, where it is noticed, whose it is, and the cure.


@pytest.mark.parametrize(
    ("pattern", "answer", "hop", "reason", "cure"),
    [
        ("GET /health", page(), "front", "LOGIN_PAGE", "Leave /api/ and /mlflow/ out of it"),
        ("GET /health", ok(b"OK", "Content-Type: text/plain"), "front", "NOT_THE_PORTAL", "MLflow itself answers OK"),
        ("GET /health", page("502 Bad Gateway"), "front", "PROXY_FAILED", "does not reach the portal"),
        (
            "GET /health",
            page("301 M", "", "Location: https://127.0.0.1/health"),
            "front",
            "REDIRECTED",
            "https address",
        ),
        ("GET /health", refusal("400 Bad Request", "BAD_REQUEST"), "front", "BAD_REQUEST", "HOKUSAI_ALLOWED_HOSTS"),
        (LIST, page("404 Not Found"), "route", "PROXY_ROUTE_MISSING", "no rule for this path"),
        (LIST, page("403 Forbidden"), "route", "PROXY_REFUSED", "firewall or proxy"),
        (LIST, page("302 F", "", "Location: https://sso.example.org/login"), "route", "LOGIN_PAGE", "demands a login"),
        (LIST, ok(b'{"experiments": []}'), "route", "OPEN_WITHOUT_KEY", "Close that road"),
        (LIST, ok(b"Invalid Host header", status="403 F"), "route", "NOT_THE_PORTAL", "leads to MLflow itself"),
        (LIST, ok(b"", status="418 T"), "route", "NOT_THE_PORTAL", "See what answers there"),
        (r"PUT .*small", refusal("403 Forbidden", "SCOPE_MISSING"), "small_file", "SCOPE_MISSING", "holds the scope"),
        (r"PUT .*small", refusal("424 F", "STORE_DENIED"), "small_file", "STORE_DENIED", "name the missing action"),
        (
            r"PUT .*small",
            refusal("503 S", "ARTIFACTS_DISABLED"),
            "small_file",
            "ARTIFACTS_DISABLED",
            "MLFLOW_SERVE_ART",
        ),
        (r"PUT .*small", refusal("404 N", "ROUTE_UNKNOWN"), "small_file", "ROUTE_UNKNOWN", "ends in /api/mlflow"),
        (r"PUT .*small", refusal("404 N", "UPSTREAM_ANSWERED"), "small_file", "UPSTREAM_ANSWERED", "--serve-artifacts"),
        (r"PUT .*small", refusal("503 S", "STORE_BUSY"), "small_file", "STORE_BUSY", "page of storage health"),
        (r"PUT .*small", refusal("404 N", "OTHER_REASON"), "small_file", "OTHER_REASON", "docs/errors.md"),
        (r"PUT .*large", page("413 Too Large"), "large_file", "PROXY_LIMIT", "client_max_body_size 0"),
        (r"PUT .*large", refusal("413 T", "BODY_TOO_LARGE"), "large_file", "BODY_TOO_LARGE", "The portal's own limit"),
        (r"PUT .*large", page("504 Gateway Timeout"), "large_file", "PROXY_FAILED", "timeouts"),
        (r"GET .*large", ok(b"short"), "download", "SHORT_BODY", "cuts replies"),
        (r"GET .*large", ok(bytes(SIZE)), "download", "BYTES_DIFFER", "changes bytes"),
        (r"GET .*large", page(), "download", "LOGIN_PAGE", "demands a login"),
        (r"DELETE ", refusal("403 F", "SCOPE_MISSING"), "delete", "SCOPE_MISSING", "These files stay: small.txt"),
    ],
)
def test_broken_way_is_named_with_its_cure(
    stub: Stub, portal: GoodPortal, pattern: str, answer: bytes, hop: str, reason: str, cure: str
) -> None:
    portal.broken[pattern] = answer
    last = walk(stub)[-1]
    assert (last.name, last.status, last.reason) == (hop, "failed", reason)
    assert cure in last.hint


@pytest.mark.parametrize(
    ("status", "reason", "cure"),
    [
        ("401 Unauthorized", "UNAUTHENTICATED", "manage.py issue_key"),
        ("403 Forbidden", "SCOPE_MISSING", "holds the scope"),
        ("403 Forbidden", "ADDRESS_REFUSED", "HOKUSAI_TRUSTED_PROXIES"),
    ],
)
def test_key_that_is_refused_is_named(stub: Stub, portal: GoodPortal, status: str, reason: str, cure: str) -> None:
    refuse_key(portal, refusal(status, reason))
    last = walk(stub)[-1]
    assert (last.name, last.reason) == ("key", reason)
    assert "request id req-7" in last.detail
    assert cure in last.hint


@pytest.mark.parametrize(
    ("status", "reason", "cure"),
    [
        ("503 Unavailable", "UPSTREAM_REFUSED", "MLflow is not running"),
        ("503 Unavailable", "UPSTREAM_UNREACHABLE", "security groups"),
        ("503 Unavailable", "UPSTREAM_NAME_UNKNOWN", "has no address"),
        ("424 Failed", "UPSTREAM_HOST_REJECTED", "--allowed-hosts"),
        ("404 Not Found", "ROUTE_UNKNOWN", "ends in /api/mlflow"),
    ],
)
def test_mlflow_behind_that_fails_is_named(stub: Stub, portal: GoodPortal, status: str, reason: str, cure: str) -> None:
    refuse_key(portal, refusal(status, reason))
    last = walk(stub)[-1]
    assert (last.name, last.reason) == ("mlflow", reason)
    assert cure in last.hint


def refuse_key(portal: GoodPortal, answer: bytes) -> None:
    """Answer the list so where a key is shown."""
    without = refusal("401 Unauthorized", "UNAUTHENTICATED")
    portal.broken[LIST] = lambda seen: Answer([answer if seen.header("Authorization") else without])


def test_range_that_is_ignored_is_named(stub: Stub, portal: GoodPortal) -> None:
    def whole(seen: Any) -> Answer:
        return Answer([ok(portal.files["large.bin"])])

    portal.broken[r"GET .*large"] = whole
    last = walk(stub)[-1]
    assert (last.name, last.reason) == ("range", "RANGE_IGNORED")
    assert "drops the header Range" in last.hint


def test_cut_download_is_named(stub: Stub, portal: GoodPortal) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n".encode()
    portal.broken[r"GET .*large"] = lambda _: Answer([head, b"x" * 1000], "close")
    last = walk(stub)[-1]
    assert (last.name, last.reason) == ("download", "SHORT_BODY")
    assert "cut under way" in last.hint


def test_download_that_stands_still_is_named(stub: Stub, portal: GoodPortal, monkeypatch: pytest.MonkeyPatch) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n".encode()
    portal.broken[r"GET .*large"] = lambda _: Answer([head, b"x" * 1000], "hang")
    hops = walk_past(stub, "multipart")
    monkeypatch.setattr(visitors, "READ_SECONDS", 0.3)
    last = next(hops)
    assert (last.name, last.reason) == ("download", "ANSWER_TIMED_OUT")


def test_cut_answer_is_named(stub: Stub, portal: GoodPortal) -> None:
    portal.broken["GET /health"] = lambda _: Answer([b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{"], "close")
    last = walk(stub)[-1]
    assert (last.name, last.reason) == ("front", "SHORT_BODY")


def test_portal_that_goes_away_on_the_way_is_named(stub: Stub, portal: GoodPortal) -> None:
    hops = walk_past(stub, "mlflow")
    with stub.not_listening():
        last = next(hops)
    assert (last.name, last.reason) == ("small_file", "CONNECTION_REFUSED")


def test_store_that_does_not_complete_an_upload_is_named(stub: Stub, portal: GoodPortal) -> None:
    portal.store_url = stub.url
    portal.broken["POST .*/mpu/complete/"] = refusal("424 F", "STORE_DENIED")
    last = walk(stub)[-1]
    assert (last.name, last.reason) == ("multipart", "STORE_DENIED")


def test_cut_upload_is_named_and_removed(stub: Stub, portal: GoodPortal) -> None:
    portal.broken[r"PUT .*large"] = lambda _: Answer([], "reset", is_early=True)
    last = walk(stub)[-1]
    assert (last.name, last.reason) == ("large_file", "SHORT_BODY")
    assert [seen.target.rpartition("/")[2] for seen in stub.seen if seen.method == "DELETE"] == [
        "small.txt",
        "large.bin",
    ]


def test_answer_that_never_comes_is_named(stub: Stub, portal: GoodPortal, monkeypatch: pytest.MonkeyPatch) -> None:
    portal.broken[r"PUT .*small"] = lambda _: Answer([], "hang")
    hops = walk_past(stub, "mlflow")
    monkeypatch.setattr(visitors, "READ_SECONDS", 0.3)
    last = next(hops)
    assert (last.name, last.reason) == ("small_file", "ANSWER_TIMED_OUT")
    assert "timeouts" in last.hint


def test_deleted_file_that_a_cache_still_serves_is_named(stub: Stub, portal: GoodPortal) -> None:
    portal.broken[r"GET .*small"] = ok(b"from a cache")
    last = walk(stub)[-1]
    assert (last.name, last.reason) == ("delete", "NOT_DELETED")
    assert "cache" in last.hint


def test_store_that_cannot_be_reached_from_here_is_named_and_the_upload_ended(stub: Stub, portal: GoodPortal) -> None:
    portal.store_url = "http://127.0.0.1:9"
    last = walk(stub)[-1]
    assert (last.name, last.reason) == ("multipart", "STORE_NOT_REACHED")
    assert "HOKUSAI_S3_PUBLIC_ENDPOINT_URL" in last.hint
    assert any("/mpu/abort/" in seen.target for seen in stub.seen)


def test_store_that_refuses_a_part_is_named(stub: Stub, portal: GoodPortal) -> None:
    portal.store_url = stub.url
    portal.broken["PUT /store/"] = ok(b"<Error>no</Error>", status="403 Forbidden")
    last = walk(stub)[-1]
    assert (last.name, last.reason, last.detail) == ("multipart", "STORE_NOT_REACHED", "status 403: <Error>no</Error>")


def test_download_that_is_sent_to_the_store_goes_there_without_the_key(stub: Stub, portal: GoodPortal) -> None:
    def redirect(seen: Any) -> Answer:
        if seen.header("Range"):
            first, last = map(int, seen.header("Range").removeprefix("bytes=").split("-"))
            return Answer([ok(portal.files["large.bin"][first : last + 1], status="206 P")])
        return Answer([ok(b"", f"Location: {stub.url}/signed", status="307 T")])

    portal.broken[r"GET .*large"] = redirect
    portal.broken["GET /signed"] = lambda _: Answer([ok(portal.files["large.bin"])])
    assert all(hop.status != "failed" for hop in walk(stub))
    (seen,) = [seen for seen in stub.seen if seen.target == "/signed"]
    assert seen.header("Authorization") is None


def test_download_that_is_sent_where_nobody_is_names_the_store(stub: Stub, portal: GoodPortal) -> None:
    portal.broken[r"GET .*large"] = ok(b"", "Location: http://127.0.0.1:9/signed", status="307 T")
    last = walk(stub)[-1]
    assert (last.name, last.reason) == ("download", "STORE_NOT_REACHED")


# The first hops.


def test_name_without_an_address_is_named(stub: Stub) -> None:
    (hop,) = walk(stub, url="http://portal.invalid")
    assert (hop.name, hop.reason) == ("address", "NAME_UNKNOWN")
    assert "DNS" in hop.hint


def test_port_where_nobody_listens_is_named(stub: Stub) -> None:
    with stub.not_listening():
        last = walk(stub)[-1]
    assert (last.name, last.reason) == ("connection", "CONNECTION_REFUSED")
    assert "running" in last.hint


def test_port_that_drops_connections_is_named(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlflow_proxy.health.roads.SECONDS", 0.3)
    with socket.socket() as listener, socket.socket() as first:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        first.connect(listener.getsockname())
        last = walk(stub, url=f"http://127.0.0.1:{listener.getsockname()[1]}")[-1]
    assert (last.name, last.reason) == ("connection", "CONNECTION_TIMED_OUT")
    assert "security groups" in last.hint


def test_https_where_http_is_spoken_is_named(stub: Stub, portal: GoodPortal) -> None:
    last = walk(stub, url=stub.url.replace("http:", "https:"))[-1]
    assert (last.name, last.reason) == ("tls", "TLS_INVALID")
    assert "speaks no TLS" in last.hint


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.mark.parametrize(
    ("name", "is_trusted", "cure"),
    [
        ("ended", True, "has expired"),
        ("other", True, "for another name"),
        ("good", False, "self-signed"),
    ],
)
def test_bad_certificate_is_named(
    stub: Stub, settings: Any, certificates: Path, name: str, is_trusted: bool, cure: str
) -> None:
    if is_trusted:
        settings.HOKUSAI_CLIENT_ENVIRONMENT = {"REQUESTS_CA_BUNDLE": str(certificates / f"{name}.crt")}
    with tls_server(certificates / f"{name}.crt", certificates / f"{name}.key") as port:
        last = walk(stub, url=f"https://localhost:{port}")[-1]
    assert (last.name, last.reason) == ("tls", "TLS_INVALID")
    assert cure in last.hint


def test_good_certificate_passes_with_its_end(stub: Stub, settings: Any, certificates: Path) -> None:
    settings.HOKUSAI_CLIENT_ENVIRONMENT = {"REQUESTS_CA_BUNDLE": str(certificates / "good.crt")}
    with tls_server(certificates / "good.crt", certificates / "good.key") as port:
        hops = {hop.name: hop for hop in walk(stub, url=f"https://localhost:{port}")}
    assert hops["tls"].status == "passed"
    assert "certificate until 20" in hops["tls"].detail


# The bytes, and the command.


def test_pattern_is_the_same_whole_and_in_part() -> None:
    pattern = Pattern(200_001, lambda _: None)
    whole = pattern.read()
    assert (len(pattern), len(whole), pattern.sent) == (200_001, 200_001, 200_001)
    assert pattern.between(65_530, 131_080) == whole[65_530:131_080]
    assert pattern.between(5, 5) == b""
    assert pattern.is_digest(hashlib.sha256(whole).hexdigest())
    assert not pattern.is_digest("0" * 64)


def run(stub: Stub, settings: Any, *words: str) -> str:
    settings.HOKUSAI_API_KEY = KEY
    out = StringIO()
    call_command("doctor", "--url", stub.url, *words, stdout=out)
    return out.getvalue()


@pytest.fixture
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlflow_proxy.management.commands.doctor.Walk", lambda *facts: Walk(*facts, large_bytes=SIZE))


@pytest.mark.usefixtures("_small")
def test_command_prints_a_table_and_all_good(stub: Stub, portal: GoodPortal, settings: Any) -> None:
    printed = run(stub, settings)
    assert "✓ key is accepted" in printed
    assert "– parts go to the store" in printed
    assert "All good" in printed
    assert KEY not in printed


@pytest.mark.usefixtures("_small")
def test_command_names_the_first_hop_that_fails_and_its_cure(stub: Stub, portal: GoodPortal, settings: Any) -> None:
    portal.broken[r"PUT .*large"] = page("413 Too Large")
    settings.HOKUSAI_API_KEY = KEY
    out = StringIO()
    with pytest.raises(CommandError, match=r"large file is stored \(PROXY_LIMIT\)") as raised:
        call_command("doctor", "--url", stub.url, stdout=out)
    assert raised.value.returncode == 1
    assert "→ A proxy before the portal limits bodies" in out.getvalue()


@pytest.mark.usefixtures("_small")
def test_command_prints_json(stub: Stub, portal: GoodPortal, settings: Any) -> None:
    document = json.loads(run(stub, settings, "--json"))
    assert document["passed"]
    assert document["tracking_uri"] == f"{stub.url}/api/mlflow"
    assert {hop["name"] for hop in document["hops"]} == TITLES.keys() - {"tls"}


@pytest.mark.parametrize(
    ("key", "url", "told"),
    [
        ("", "http://127.0.0.1:1", "HOKUSAI_API_KEY"),
        (KEY, "nonsense", "must look like"),
        (KEY, "", "--url"),
        ("schlüssel", "http://127.0.0.1:1", "characters that no key has"),
    ],
)
def test_command_that_cannot_begin_ends_with_2(settings: Any, key: str, url: str, told: str) -> None:
    settings.HOKUSAI_API_KEY = key
    with pytest.raises(CommandError, match=told) as raised:
        call_command("doctor", *(["--url", url] if url else []))
    assert raised.value.returncode == 2


def test_command_does_not_print_what_is_no_key(settings: Any) -> None:
    settings.HOKUSAI_API_KEY = "a-password-of-something-else"
    out = StringIO()
    with pytest.raises(CommandError):
        call_command("doctor", "--url", "http://127.0.0.1:1", stdout=out)
    assert "a-password" not in out.getvalue()
