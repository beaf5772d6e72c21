"""Both images, as built: with PostgreSQL and an S3 store, read-only, without rights, and ended by a signal."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from tests.images import engine
from tests.images.build import MLFLOW, PORTAL
from tests.images.conftest import verify_registry
from tests.live.processes import answers, eventually, free_ports
from tests.live.stack import BUCKET, PREFIX, Database, Store

pytestmark = pytest.mark.images

NO_RIGHTS = ("--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")
LIMITS = ("--memory", "2g", "--pids-limit", "300")
WORD = "no-secret-of-anybody-either"
PATIENCE = 180


def run(image: str, environment: dict[str, str], *words: str, name: str = "") -> str:
    """Run an image as its deployments do; return its output, or with a name leave it running."""
    variables = [word for item in environment.items() for word in ("--env", "=".join(item))]
    mode = ("--detach", "--name", name) if name else ("--rm",)
    return engine.podman("run", *mode, "--network", "host", *NO_RIGHTS, *LIMITS, *variables, image, *words)


@dataclass
class Pair:
    """A portal and an MLflow, each in its image, before the same database server and store."""

    mlflow: dict[str, str]
    portal: dict[str, str]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.portal['PORTAL_PORT']}"

    def manage(self, *words: str) -> str:
        return run(PORTAL, self.portal, "python", "manage.py", *words)

    def key(self) -> str:
        printed = self.manage("issue_key", "--name", "images", "--preset", "operator", "--quiet").split()
        (key,) = (word for word in printed if word.startswith("hk_live_"))
        return key

    def wait_until_ready(self) -> None:
        if not eventually(lambda: answers(f"{self.url}/ready"), PATIENCE):
            pytest.fail("\n".join(engine.podman("logs", "--tail", "15", name) for name in ("mlflow", "portal")))


@pytest.fixture(scope="session")
def pair(folder: Path) -> Iterator[Pair]:
    for name in ("database", "store"):
        (folder / name).mkdir()
    database, store = Database(folder / "database"), Store(folder / "store")
    try:
        database.start()
        store.start()
        pair = _pair(database, store)
        run(MLFLOW, pair.mlflow, name="mlflow")
        pair.manage("migrate", "--verbosity", "0")
        run(PORTAL, pair.portal, name="portal")
        pair.wait_until_ready()
        yield pair
    finally:
        engine.podman("rm", "--force", "--time", "10", "--ignore", "portal", "mlflow")
        store.end()
        database.end()


def _pair(database: Database, store: Store) -> Pair:
    mlflow_port, portal_port = (str(port) for port in free_ports(2))
    place = f"s3://{BUCKET}/{PREFIX}"
    shared = {"MLFLOW_SERVER_URL": f"http://127.0.0.1:{mlflow_port}", "DEFAULT_ARTIFACT_ROOT": place}
    # Trusted on loopback: the word opens nothing, and shows up where it should not.
    mlflow_database = database.create("mlflow").replace("postgres@", f"postgres:{WORD}@", 1)
    mlflow = {"BACKEND_STORE_URI": mlflow_database, "MLFLOW_PORT": mlflow_port}
    portal = {
        "DATABASE_URL": database.create("portal"),
        "HOKUSAI_SECRET_KEY": secrets.token_urlsafe(48),
        "HOKUSAI_KEY_PEPPERS": f"1:{secrets.token_urlsafe(48)}",
        "HOKUSAI_PUBLIC_URL": "https://registry.example.org",
        "HOKUSAI_ALLOWED_HOSTS": "registry.example.org,127.0.0.1",
        "PORTAL_PORT": portal_port,
    }
    common = shared | store.environment()
    return Pair(mlflow=common | mlflow, portal=common | portal)


@pytest.mark.parametrize("image", [PORTAL, MLFLOW], ids=["portal", "mlflow"])
def test_image_is_without_root_and_without_what_it_does_not_need(image):
    configuration = engine.inspect(image)["Config"]
    assert configuration["User"] == "10001:10001"
    listed = engine.podman("run", "--rm", "--entrypoint", "find", image, "/app", "-name", "*.py")
    assert "/tests/" not in listed
    assert "Healthcheck" in engine.inspect(image) or "Healthcheck" in configuration


def test_registration_through_both_images(pair):
    verify_registry(pair.url, pair.key())


def test_ready_answers_with_the_store(pair):
    checks = {
        check["name"]: check["passed"] for check in requests.get(f"{pair.url}/ready", timeout=30).json()["checks"]
    }
    assert checks == dict.fromkeys(("database", "mlflow", "mlflow_layout", "artifact_store"), True)


@pytest.mark.parametrize("name", ["portal", "mlflow"])
def test_healthcheck_of_the_image_passes(pair, name):
    engine.podman("healthcheck", "run", name)


@pytest.mark.parametrize("name", ["portal", "mlflow"])
def test_root_is_read_only(pair, name):
    assert "Read-only file system" in engine.podman("exec", name, "touch", "/app/x", is_checked=False)


def test_portal_serves_its_static_files(pair):
    page = requests.get(f"{pair.url}/", timeout=30).text
    (link,) = (word.partition('"')[2].rstrip('">') for word in page.split() if "portal." in word and ".css" in word)
    assert requests.get(f"{pair.url}{link}", timeout=30).headers["Content-Type"].startswith("text/css")


def test_worker_runs_every_job(pair):
    assert '"job_failed"' not in pair.manage("run_worker", "--once")


def test_password_of_the_database_is_in_no_log(pair):
    logs = engine.podman("logs", "mlflow")
    assert "database postgres" in logs
    assert WORD not in logs


def test_restart_keeps_keys_and_artifacts(pair):
    headers = {"Authorization": f"Bearer {pair.key()}"}
    address = f"{pair.url}/api/mlflow/api/2.0/mlflow-artifacts/artifacts/0/{'0' * 32}/artifacts/kept.txt"
    assert requests.put(address, data=b"kept", headers=headers, timeout=60).status_code == 200
    for name in ("portal", "mlflow"):
        engine.podman("stop", "--time", "20", name)
        engine.podman("start", name)
    pair.wait_until_ready()
    assert requests.get(address, headers=headers, timeout=60).content == b"kept"
    assert requests.delete(address, headers=headers, timeout=60).status_code == 200


def test_upgrade_of_the_database_may_run_again(pair):
    assert "Updating database tables" in run(MLFLOW, pair.mlflow, "upgrade-database")
    pair.wait_until_ready()


def test_worker_is_ended_by_a_signal(pair):
    run(PORTAL, pair.portal, "python", "manage.py", "run_worker", name="worker")
    try:
        assert eventually(lambda: "worker_started" in engine.podman("logs", "worker"), PATIENCE)
        engine.podman("stop", "--time", "12", "worker")
        assert engine.inspect("worker")["State"]["ExitCode"] == 0
    finally:
        engine.podman("rm", "--force", "--ignore", "worker")


@pytest.mark.parametrize("name", ["portal", "mlflow"])
def test_signal_ends_it_before_it_is_killed(pair, name):
    engine.podman("stop", "--time", "10", name)
    killed = 137
    try:
        assert engine.inspect(name)["State"]["ExitCode"] != killed
    finally:
        engine.podman("start", name)
        pair.wait_until_ready()


def test_mlflow_without_a_database_ends_and_says_so():
    (port,) = free_ports(1)
    variables = {
        "BACKEND_STORE_URI": f"postgresql://mlflow:{WORD}@127.0.0.1:{port}/mlflow",
        "DEFAULT_ARTIFACT_ROOT": "s3://bucket/prefix",
        "MLFLOW_DATABASE_WAIT_SECONDS": "2",
    }
    with pytest.raises(engine.CommandFailedError, match=r"ended with 69\n[^$]*did not answer for 2 s") as failed:
        run(MLFLOW, variables)
    assert WORD not in str(failed.value)


@pytest.mark.parametrize(
    ("image", "sign"),
    [(PORTAL, "HOKUSAI_KEY_PEPPERS: is missing"), (MLFLOW, "BACKEND_STORE_URI is empty")],
    ids=["portal", "mlflow"],
)
def test_image_without_settings_refuses_to_start(image, sign):
    with pytest.raises(engine.CommandFailedError, match=sign):
        run(image, {})
