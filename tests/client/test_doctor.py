"""The client's doctor: every hop of a good way, and the first that fails with its cure."""

import json

import pytest

from apikeys import keys
from tests.certificates import make_certificates, tls_server

SEARCH = "/api/mlflow/api/2.0/mlflow/experiments/search"
NAMES = [
    *("key is at hand", "address resolves", "connection is taken", "portal answers", "key is accepted"),
    *("key holds the scopes", "MLflow's variables fit", "MLflow answers"),
]


@pytest.fixture
def variables(account, secret, monkeypatch):
    """What MLflow's client is told here: the account's own."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"{account}/api/mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", secret)


@pytest.fixture
def good(httpserver, me, variables):
    """A portal on which every hop passes."""
    httpserver.expect_request("/health").respond_with_json({"status": "ok", "version": "0.1.0"})
    httpserver.expect_request(SEARCH).respond_with_json({"experiments": []})


@pytest.fixture
def walk(run):
    """Walk; returns exit status and the last hop, which is the first that failed or the end."""

    def walked(*words):
        status, out, _ = run("doctor", "--json", *words)
        document = json.loads(out)
        assert document["passed"] == (status == 0)
        return status, document["hops"][-1]

    return walked


def test_good_way_passes_every_hop(run, good, secret):
    status, out, err = run("doctor", "--json")
    assert (status, err) == (0, "")
    assert [hop["name"] for hop in json.loads(out)["hops"]] == NAMES
    assert {hop["status"] for hop in json.loads(out)["hops"]} == {"passed"}
    assert secret not in out


def test_text_is_a_line_a_hop_and_quiet_is_the_status_alone(run, good):
    lines = run("doctor")[1].splitlines()
    assert [line[0] for line in lines[:-1]] == ["✓"] * len(NAMES)
    assert lines[-1] == "All good: this machine reaches MLflow."
    assert run("doctor", "--quiet") == (0, "", "")


def test_failed_hop_ends_the_walk_and_names_its_cure(run, account):
    status, out, _ = run("doctor")
    *_, hop, cure, last = out.splitlines()
    assert (status, hop[0]) == (1, "✗")
    assert "→" in cure
    assert last == "The first hop that failed: portal answers."


def test_key_goes_to_no_health_address(good, run, httpserver):
    run("doctor")
    (health,) = [request for request, _ in httpserver.log if request.path == "/health"]
    assert "Authorization" not in health.headers


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("http://no-such-host.invalid:80", "address resolves"),
        ("http://127.0.0.1:9", "connection is taken"),
        ("ftp://x", "key is at hand"),
    ],
)
def test_way_that_is_not_there_is_named(walk, account, monkeypatch, url, name):
    monkeypatch.setenv("HOKUSAI_PORTAL_URL", url)
    status, hop = walk()
    assert (status, hop["name"], hop["status"]) == (1, name, "failed")


def test_proxy_is_asked_instead_of_the_network(run, good, url, monkeypatch):
    monkeypatch.setenv("HOKUSAI_PORTAL_URL", "http://localhost:9")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://localhost:9")
    status, out, _ = run("doctor", "--json", "--proxy", url)
    assert status == 0
    assert "address resolves" not in out


def test_other_server_is_not_taken_for_a_portal(walk, account, httpserver):
    httpserver.expect_request("/health").respond_with_json({"status": "OK"})
    assert walk()[1]["name"] == "portal answers"


def test_refused_key_is_named_with_its_cure(walk, account, httpserver, refuse):
    httpserver.expect_request("/health").respond_with_json({"version": "0.1.0"})
    refuse("/api/v1/whoami", 401, "UNAUTHENTICATED")
    status, hop = walk()
    assert (status, hop["name"]) == (1, "key is accepted")
    assert "request id req-1" in hop["detail"]
    assert "log in" in hop["hint"]


def test_scope_that_is_needed_and_not_held_is_named(walk, good):
    assert walk("--needs", "mlflow:read")[0] == 0
    status, hop = walk("--needs", "mlflow:read", "--needs", "model:write")
    assert (status, hop["name"], hop["detail"]) == (1, "key holds the scopes", "model:write is missing")


@pytest.mark.parametrize("mount", ["/api/mlflow", "/api/mlflow/", "/mlflow", ""])
def test_tracking_uri_of_every_mount_fits(walk, good, url, monkeypatch, mount):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"{url}{mount}")
    assert walk()[0] == 0


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000", "leads elsewhere"),
        ("MLFLOW_TRACKING_TOKEN", "", "is not set"),
        ("MLFLOW_TRACKING_TOKEN", keys.mint("live").text, "is another key"),
        ("MLFLOW_TRACKING_PASSWORD", "word", "MLFLOW_TRACKING_PASSWORD are set"),
    ],
)
def test_variable_that_misleads_mlflows_client_is_named(walk, good, monkeypatch, name, value, words):
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "user")
    monkeypatch.setenv(name, value)
    _, hop = walk()
    assert (hop["name"], words in hop["detail"]) == ("MLflow's variables fit", True)


def test_variables_that_are_not_set_are_no_fault(run, good, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    status, out, _ = run("doctor")
    assert (status, "– MLflow's variables fit" in out) == (0, True)


def test_netrc_that_would_win_is_named(walk, good, home, httpserver):
    (home / "netrc").write_text(f"machine {httpserver.host} login a password b\n")
    (home / "netrc").chmod(0o600)
    assert "netrc has an entry" in walk()[1]["detail"]


def test_mlflow_that_is_away_is_named_in_the_portals_words(walk, httpserver, me, variables):
    httpserver.expect_request("/health").respond_with_json({"version": "0.1.0"})
    document = {"error_code": "TEMPORARILY_UNAVAILABLE", "reason": "UPSTREAM_REFUSED", "message": "MLflow is away."}
    httpserver.expect_request(SEARCH).respond_with_json(document | {"request_id": "req-2"}, status=503)
    _, hop = walk()
    assert (hop["name"], hop["detail"]) == ("MLflow answers", "MLflow is away. (UPSTREAM_REFUSED, request id req-2)")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.mark.parametrize(
    ("name", "is_trusted", "cure"),
    [
        ("ended", True, "has expired"),
        ("other", True, "for another name"),
        ("good", False, "--ca-bundle"),
    ],
)
def test_bad_certificate_is_named(walk, account, monkeypatch, certificates, name, is_trusted, cure):
    words = ("--ca-bundle", str(certificates / f"{name}.crt")) if is_trusted else ()
    with tls_server(certificates / f"{name}.crt", certificates / f"{name}.key") as port:
        monkeypatch.setenv("HOKUSAI_PORTAL_URL", f"https://localhost:{port}")
        _, hop = walk(*words)
    assert (hop["name"], cure in hop["hint"]) == ("certificate is valid", True)


def test_good_certificate_passes_and_calls_verify_it_too(run, account, monkeypatch, certificates):
    with tls_server(certificates / "good.crt", certificates / "good.key") as port:
        monkeypatch.setenv("HOKUSAI_PORTAL_URL", f"https://localhost:{port}")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificates / "good.crt"))
        out = run("doctor", "--ca-bundle", str(certificates / "good.crt"))[1]
        status, _, err = run("whoami")
    assert "✓ certificate is valid" in out
    assert (status, "--ca-bundle FILE" in err) == (1, True)
