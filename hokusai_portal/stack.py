"""The embedded stack of ``make run``: MLflow, portal and worker under one supervisor; for a machine of your own.

Prepares the data folder once, starts all through the same entry points as the images, says when they are ready,
and ends all when one ends. It issues the first key and account through the ordinary actions.
"""

import contextlib
import os
import secrets
import shlex
import signal
import socket
import sys
import threading
import time
from pathlib import Path

import django
import requests
from honcho.manager import Manager
from honcho.printer import Message, Printer

from hokusai_portal import env

# A wildcard is no address to visit, and no host that the portal answers for.
_VISIBLE_HOST = "127.0.0.1" if env.PORTAL_HOST in {"0.0.0.0", "::"} else env.PORTAL_HOST  # noqa: S104
PORTAL_URL = f"http://{_VISIBLE_HOST}:{env.PORTAL_PORT}"
MLFLOW_URL = f"http://127.0.0.1:{env.MLFLOW_PORT}"
MLFLOW_DIR = env.DATA_DIR / "mlflow"
ARTIFACT_DESTINATION = env.ARTIFACT_DESTINATION or str(MLFLOW_DIR / "artifacts")
PATIENCE_SECONDS = 240
# Commands in another shell must find the same data.
_MANAGE = (f"HOKUSAI_DATA_DIR={env.DATA_DIR} " if env.IS_DATA_DIR_MOVED else "") + ".venv/bin/python manage.py"
ISSUE_COMMAND = f"{_MANAGE} issue_key --name shell --preset operator --quiet"
VERIFY_COMMAND = f"HOKUSAI_API_KEY=$MLFLOW_TRACKING_TOKEN {_MANAGE} verify_registry --url {PORTAL_URL}"


def main() -> int:
    for port, variable in ((env.PORTAL_PORT, "PORTAL_PORT"), (env.MLFLOW_PORT, "MLFLOW_PORT")):
        if is_taken(port):
            print(f"Port {port} is taken by another program. Choose another one: make run {variable}={port + 1}")
            return 1
    print(f"Preparing {env.DATA_DIR} …", flush=True)
    welcome = prepare()
    manager = Manager(PatientPrinter())
    manager.add_process("mlflow", mlflow_command(), env=mlflow_environment())
    manager.add_process("portal", portal_command(), env=portal_environment())
    manager.add_process("worker", worker_command(), env=portal_environment())
    is_announced = threading.Event()
    threading.Thread(target=announce, args=(welcome, is_announced), daemon=True).start()
    # A closed terminal ends the stack like Ctrl-C, instead of leaving servers behind on their ports.
    signal.signal(signal.SIGHUP, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    manager.loop()
    if not is_announced.is_set():
        # Account and key exist and are shown once: an early end must not swallow them.
        say(*welcome)
    is_asked_to_stop = manager.returncode in {130, 143}
    if not is_asked_to_stop:
        print("One of the three ended by itself, so the others were stopped. Its last lines above say why.", flush=True)
    return 0 if is_asked_to_stop else 1


def is_taken(port: int) -> bool:
    with socket.socket() as probe:
        # As servers do: a port in TIME_WAIT after the last run is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((env.PORTAL_HOST, port))
        except OSError:
            return True
    return False


def prepare() -> list[str]:
    """Migrate, collect static files, and create account and key where none is; return the lines to show once."""
    django.setup()
    from django.core.management import call_command  # noqa: PLC0415  (apps must be loaded first)

    MLFLOW_DIR.mkdir(parents=True, exist_ok=True)
    call_command("migrate", verbosity=0)
    call_command("collectstatic", verbosity=0, interactive=False)
    return [*first_account(), *first_key()]


def first_account() -> list[str]:
    from django.contrib.auth.models import User  # noqa: PLC0415

    if User.objects.filter(is_superuser=True).exists():
        return []
    password = env.ADMIN_PASSWORD or secrets.token_urlsafe(12)
    User.objects.create_superuser(env.ADMIN_USERNAME, env.ADMIN_EMAIL, password)
    shown = "the one in DJANGO_SUPERUSER_PASSWORD" if env.ADMIN_PASSWORD else f"{password}   (shown this once)"
    return [f"  Admin account   {env.ADMIN_USERNAME}", f"  Password        {shown}", ""]


def first_key() -> list[str]:
    from apikeys import actions, scopes  # noqa: PLC0415
    from apikeys.models import DEFAULT_SERVICE, ApiKey, Service  # noqa: PLC0415

    if ApiKey.objects.exists():
        return [
            "",
            "Paste into the shell where your code runs (the second line issues a new key):",
            "",
            f"  export MLFLOW_TRACKING_URI={PORTAL_URL}/api/mlflow",
            f"  export MLFLOW_TRACKING_TOKEN=$({ISSUE_COMMAND})",
        ]
    issued = actions.issue_key(
        service=Service.objects.get(service_id=DEFAULT_SERVICE),
        name="first key",
        scopes=scopes.PRESETS["operator"],
        actor=actions.Actor(name="make run"),
    )
    return [
        "Paste into the shell where your code runs (the key is shown this once):",
        "",
        f"  export MLFLOW_TRACKING_URI={PORTAL_URL}/api/mlflow",
        f"  export MLFLOW_TRACKING_TOKEN={issued.secret.text}",
    ]


def portal_environment() -> dict[str, str]:
    """Return the portal's variables; a person reads this log, so it keeps to what went wrong."""
    return env.child_environment(
        MLFLOW_SERVER_URL=MLFLOW_URL,
        HOKUSAI_ARTIFACT_DESTINATION=ARTIFACT_DESTINATION,
        HOKUSAI_LOG_LEVEL=env.STACK_LOG_LEVEL,
    )


def mlflow_command() -> str:
    return shlex.join(["sh", str(env.BASE_DIR / "deploy" / "mlflow" / "entrypoint.sh")])


def mlflow_environment() -> dict[str, str]:
    """Return the variables of the image's contract, for SQLite and a folder below the data folder."""
    return env.child_environment(
        PATH=f"{env.MLFLOW_PYTHON.parent}:{env.child_environment().get('PATH', '/usr/bin:/bin')}",
        HOKUSAI_ENVIRONMENT="development",
        BACKEND_STORE_URI=f"sqlite:///{MLFLOW_DIR / 'mlflow.sqlite3'}",
        DEFAULT_ARTIFACT_ROOT=ARTIFACT_DESTINATION,
        MLFLOW_HOST="127.0.0.1",
        MLFLOW_PORT=str(env.MLFLOW_PORT),
        MLFLOW_SERVER_URL=MLFLOW_URL,
        MLFLOW_STATIC_PREFIX=env.MLFLOW_STATIC_PREFIX,
        UVICORN_LOG_LEVEL=env.STACK_LOG_LEVEL.lower(),
        PYTHONWARNINGS="ignore",
        **({"MLFLOW_S3_ENDPOINT_URL": env.S3_ENDPOINT_URL} if env.S3_ENDPOINT_URL else {}),
    )


def portal_command() -> str:
    return shlex.join([sys.executable, "-m", "gunicorn", "-c", str(Path(__file__).with_name("gunicorn.conf.py"))])


def worker_command() -> str:
    return shlex.join([sys.executable, str(env.BASE_DIR / "manage.py"), "run_worker"])


def announce(welcome: list[str], is_announced: threading.Event) -> None:
    """Wait until the portal is ready and print how to use it."""
    session = requests.Session()
    session.trust_env = False
    print("Waiting for MLflow; its first start takes up to a minute …", flush=True)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        try:
            # Asked only once MLflow listens: each earlier answer would fill the screen with its reasons.
            if (
                is_taken(env.MLFLOW_PORT)
                and session.get(f"{PORTAL_URL}/ready", timeout=10).status_code == requests.codes.ok
            ):
                break
        except requests.RequestException:
            pass
        time.sleep(0.5)
    else:
        print(f"Not ready after {PATIENCE_SECONDS} s. See {PORTAL_URL}/ready and the lines above.", flush=True)
        return
    lines = [
        *(
            "",
            "Hokusai Portal is ready.",
            "",
            f"  Portal          {PORTAL_URL}/",
            f"  Admin           {PORTAL_URL}/admin/",
        ),
        *welcome,
        *("", f"Next, in that shell: {VERIFY_COMMAND}", "Ctrl-C stops all three."),
    ]
    is_announced.set()
    say(*lines)


def say(*lines: str) -> None:
    with contextlib.suppress(OSError):
        print("\n".join(lines), flush=True)


class PatientPrinter(Printer):  # type: ignore[misc]  # honcho carries no types
    """Goes on without an audience: a closed pipe must not keep the stack from ending its children."""

    def write(self, message: Message) -> None:
        with contextlib.suppress(OSError):
            super().write(message)


if __name__ == "__main__":
    env.use_settings()
    sys.exit(main())
