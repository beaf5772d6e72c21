"""The cast of the proxy's tests: a stub upstream, the real portal in front of it, and keys."""

import pytest

from mlflow_proxy import upstream as upstream_module
from tests.mlflow_proxy.portal import Home, running
from tests.mlflow_proxy.stub import Stub

# Long enough for two busy cores, short enough to be waited for.
METADATA_TIMEOUT, TRANSFER_TIMEOUT = "4", "4"


@pytest.fixture(scope="session")
def home(tmp_path_factory):
    home = Home(tmp_path_factory.mktemp("portal"), {})
    home.manage("migrate", "--verbosity", "0")
    home.manage("collectstatic", "--no-input", "--verbosity", "0")
    home.issue("operator", "--preset", "operator")
    home.issue("reader", "--preset", "reader")
    # What a careless client of the standard library would pick up for the upstream.
    (home.folder / ".netrc").write_text("machine 127.0.0.1 login netrc password netrc\n")
    (home.folder / ".netrc").chmod(0o600)
    return home


@pytest.fixture(scope="session")
def _stub_for_the_session():
    stub = Stub()
    yield stub
    stub.stop()


@pytest.fixture(scope="session")
def _served_for_the_session(home, _stub_for_the_session):
    variables = {
        "HOKUSAI_METADATA_TIMEOUT": METADATA_TIMEOUT,
        "HOKUSAI_TRANSFER_TIMEOUT": TRANSFER_TIMEOUT,
        "HOKUSAI_MAX_JSON_BYTES": "100000",
        # Faults of one test would pause the next; test_breaker.py has portals with breakers.
        "HOKUSAI_BREAKERS": "false",
        "HOKUSAI_CORS_ORIGINS": "https://app.example.org",
        "http_proxy": "http://127.0.0.1:9",
        "HTTP_PROXY": "http://127.0.0.1:9",
    }
    with running(home, _stub_for_the_session, "served", **variables) as portal:
        yield portal


@pytest.fixture(scope="session")
def _without_artifacts_for_the_session(home, _stub_for_the_session):
    with running(home, _stub_for_the_session, "without-artifacts", MLFLOW_SERVE_ARTIFACTS="false") as portal:
        yield portal


@pytest.fixture(scope="session")
def _behind_proxy_for_the_session(home, _stub_for_the_session):
    with running(home, _stub_for_the_session, "behind-proxy", HOKUSAI_TRUSTED_PROXIES="127.0.0.1") as portal:
        yield portal


@pytest.fixture
def served(_served_for_the_session, upstream):
    """The portal under gunicorn, with short deadlines."""
    return _served_for_the_session


@pytest.fixture
def without_artifacts(_without_artifacts_for_the_session, upstream):
    """The same with MLFLOW_SERVE_ARTIFACTS=false."""
    return _without_artifacts_for_the_session


@pytest.fixture
def behind_proxy(_behind_proxy_for_the_session, upstream):
    """The same, trusting this machine as its front proxy."""
    return _behind_proxy_for_the_session


@pytest.fixture
def upstream(_stub_for_the_session):
    """What the served portals take for MLflow, with no connection and no memory."""
    _stub_for_the_session.reset()
    return _stub_for_the_session


@pytest.fixture
def stub(settings):
    """An upstream for tests inside this process, which the settings point at."""
    stub = Stub()
    settings.MLFLOW_SERVER_URL = stub.url
    yield stub
    stub.stop()
    upstream_module._pool.cache_clear()
