"""compose.yaml as it stands, run by the real docker compose over podman, with stand-ins for images of registries."""

import json
import os
import shutil
import socket
import subprocess
import tempfile
import threading
from pathlib import Path

import requests

from tests.images import engine
from tests.images.build import MLFLOW, PORTAL, STAND_INS
from tests.live.processes import Program

COMPOSE = engine.ROOT / ".venv-deploy" / "bin" / "docker-compose"
IMAGES = {
    "PORTAL_IMAGE": PORTAL,
    "MLFLOW_IMAGE": MLFLOW,
    "NGINX_IMAGE": STAND_INS["nginx"],
    "POSTGRES_IMAGE": STAND_INS["postgres"],
    "VALKEY_IMAGE": STAND_INS["valkey"],
    "STORE_IMAGE": STAND_INS["store"],
}
START_SECONDS = 300
URL = "https://localhost"
UI_HOST = "mlflow.localhost"


class Project:
    """The project of compose.yaml, with settings made by ``make compose-env`` for it alone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # A socket's path is short, whatever the folder of the project.
        self.socket = Path(tempfile.mkdtemp(dir="/tmp")) / "podman.sock"
        self.service = Program("podman", [*self._service()], engine.environment(), folder)
        self._ended = threading.Event()

    def _service(self) -> list[str]:
        return [*engine.PODMAN, "system", "service", "--time=0", f"unix://{self.socket}"]

    def start(self) -> None:
        """Make the settings, start everything and wait until compose finds it healthy."""
        made = ["sh", engine.ROOT / "deploy" / "compose" / "env.sh", self.folder]
        subprocess.run(made, env=os.environ | {"HOKUSAI_UI_HOST": UI_HOST}, check=True, capture_output=True)
        self.service.start()
        self.service.wait_until(self._is_listening)
        # podman's own health checks wait for timers of systemd.
        threading.Thread(target=self._ask_health, daemon=True).start()
        self.compose("up", "--detach", "--no-build", "--pull", "never")

    def _is_listening(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self.socket)) == 0

    def _ask_health(self) -> None:
        while not self._ended.wait(1):
            for name in engine.podman("ps", "--quiet", is_checked=False).split():
                engine.podman("healthcheck", "run", name, is_checked=False)

    @property
    def certificate(self) -> Path:
        return self.folder / "var" / "compose" / "tls" / "tls.crt"

    def is_ready(self) -> bool:
        try:
            return requests.get(f"{URL}/ready", verify=self.certificate, timeout=20).status_code == 200
        except requests.RequestException:
            return False

    def compose(self, *words: str, is_checked: bool = True) -> str:
        environment = (
            os.environ
            | IMAGES
            | {
                "DOCKER_HOST": f"unix://{self.socket}",
                "TLS_FOLDER": str(self.certificate.parent),
            }
        )
        command = [COMPOSE, "--project-directory", engine.ROOT, "--env-file", self.folder / ".env", *words]
        # Not compose's own patience, which has no end while a container begins anew.
        command = ["timeout", str(START_SECONDS), *command]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if is_checked and done.returncode:
            raise engine.CommandFailedError(f"compose {words[0]}: {done.stdout}{done.stderr}"[-4000:])
        return done.stdout + done.stderr

    def containers(self, service: str) -> list[str]:
        """Return the names of the containers of a service that exist, whether they run or not."""
        label = f"label=com.docker.compose.service={service}"
        return engine.podman("ps", "--all", "--filter", label, "--format", "{{.Names}}").split()

    def manage(self, *words: str) -> str:
        return engine.podman("exec", self.containers("portal")[0], "python", "manage.py", *words)

    def key(self, *words: str) -> str:
        printed = self.manage("issue_key", "--name", "compose", "--preset", "operator", "--quiet", *words).split()
        (key,) = (word for word in printed if word.startswith("hk_live_"))
        return key

    def states(self) -> dict[str, str]:
        listed = json.loads(engine.podman("ps", "--all", "--format", "json"))
        return {container["Names"][0]: container["State"] for container in listed}

    def tails(self) -> str:
        names = self.states()
        logs = [f"--- {name}\n{engine.podman('logs', '--tail', '12', name, is_checked=False)}" for name in names]
        return "\n".join([json.dumps(names, indent=1), *logs])

    def end(self) -> None:
        """Take everything down; raises AssertionError when a container outlives it."""
        said = self.compose("down", "--volumes", "--timeout", "20", is_checked=False)
        self._ended.set()
        left = self.states()
        self.service.end()
        shutil.rmtree(self.socket.parent, ignore_errors=True)
        assert left == {}, said
