"""The cast of the client's tests: a server in the portal's shapes, an account, and the command as a person runs it."""

import pytest

from apikeys import keys
from hokusai_portal_client.main import main

ENDS = "2026-10-02T12:00:00+00:00"
VARIABLES = ("HOKUSAI_API_KEY", "HOKUSAI_PORTAL_URL", "MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_TOKEN")


@pytest.fixture(scope="session")
def secret():
    return keys.mint("live").text


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A folder that is nobody's, with no variable of the person who runs the tests."""
    for name in (*VARIABLES, "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    return tmp_path


@pytest.fixture
def url(httpserver):
    return httpserver.url_for("").rstrip("/")


@pytest.fixture
def account(url, secret, monkeypatch):
    monkeypatch.setenv("HOKUSAI_PORTAL_URL", url)
    monkeypatch.setenv("HOKUSAI_API_KEY", secret)
    return url


@pytest.fixture
def run(capsys):
    """Run the command; returns its exit status, standard output and standard error."""

    def run_command(*words):
        try:
            status = main(words)
        except SystemExit as leaving:
            status = leaving.code
        return status, *capsys.readouterr()

    return run_command


@pytest.fixture
def key(secret):
    """A key document, as the portal writes it."""

    def document(**more):
        known = {"key_id": secret[:20], "service_id": "batch", "name": "laptop", "status": "active"}
        times = {"expires_at": ENDS, "last_used_at": None}
        return {**known, "scopes": ["mlflow:read"], **times, **more}

    return document


@pytest.fixture
def me(httpserver, key, secret):
    """The portal knows the key, and nothing without it."""
    document = {"kind": "key", "name": secret[:20], "address": "127.0.0.1", "granted_scopes": ["mlflow:read"]}
    expected = {"method": "GET", "headers": {"Authorization": f"Bearer {secret}"}}
    httpserver.expect_request("/api/v1/whoami", **expected).respond_with_json(document | {"groups": [], "key": key()})
    return document


@pytest.fixture
def refuse(httpserver):
    """Let an address answer with a problem document."""

    def answer(path, status, reason, detail="It is refused.", **more):
        document = {"type": "about:blank", "title": "No", "status": status, "reason": reason, "detail": detail}
        httpserver.expect_request(path).respond_with_json(document | {"request_id": "req-1", **more}, status=status)

    return answer
