"""buildah and podman with a store of their own under var/images: builds, runs and ends; knows no image by name."""

import json
import os
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "var" / "images"
RUN = FOLDER / "run"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
# Root of a container may not raise limits; runc is at home in every version of control groups.
CONFIGURATION = f"""
[containers]
default_ulimits = ["nofile=16384:16384", "nproc=8192:8192"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "none"
tmp_dir = "{RUN}/libpod"
[network]
network_backend = "netavark"
network_config_dir = "{RUN}/networks"
"""
STORE = ["--root", str(FOLDER / "store"), "--runroot", str(RUN / "store"), "--storage-driver", "overlay"]
PODMAN = ["podman", *STORE]


class CommandFailedError(Exception):
    """A command of buildah or podman ended badly; carries the end of what it said."""


def environment() -> dict[str, str]:
    """Return the environment of both programs, with their configuration."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    file = FOLDER / "containers.conf"
    file.write_text(CONFIGURATION)
    return os.environ | {"CONTAINERS_CONF": str(file), "PODMAN": " ".join(PODMAN), "TMPDIR": str(FOLDER)}


def call(command: Iterable[str | Path], *, is_checked: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a command; raises CommandFailedError with the end of its output."""
    words = [str(word) for word in command]
    done = subprocess.run(words, env=environment(), cwd=ROOT, capture_output=True, text=True, check=False)
    if is_checked and done.returncode:
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-30:])
        raise CommandFailedError(f"{' '.join(words[:2])} … {words[-1]} ended with {done.returncode}\n{tail}")
    return done


def podman(*words: str | Path, is_checked: bool = True) -> str:
    """Run podman and return what it prints on both streams, since programs log on either."""
    done = call([*PODMAN, *words], is_checked=is_checked)
    return done.stdout + done.stderr


def inspect(name: str) -> dict[str, Any]:
    (facts,) = json.loads(podman("inspect", name))
    return dict(facts)


def exists(image: str) -> bool:
    return call([*PODMAN, "image", "exists", image], is_checked=False).returncode == 0


def build(name: str, *, file: Path, context: Path, base: str, target: str = "") -> None:
    """Build an image on the local base, with this machine's package index and certificates."""
    call(
        [
            *("buildah", *STORE, "bud", "--format", "docker", "--layers", "--pull=never", "--isolation", "chroot"),
            *("--network", "host", "--build-arg", f"BASE={base}", *_mounts(), "--tag", name, "--file", file),
            *(("--target", target) if target else ()),
            context,
        ]
    )


def _mounts() -> list[str]:
    """Return what lets pip and apt inside a build find what they find on this machine."""
    settings = call(["python3", "-m", "pip", "config", "list"]).stdout
    values: dict[str, str] = {}
    for line in settings.splitlines():
        name, _, value = line.partition("=")
        values[name.rpartition(".")[2]] = value.strip("'")
    file = FOLDER / "pip.conf"
    file.write_text("[global]\n" + "".join(f"{name} = {value}\n" for name, value in values.items()))
    words = " ".join(values.values()).replace("file://", "").split()
    local = {Path(word) for word in words if word.startswith("/")} | {CERTIFICATES}
    folders = {path.parent if path.name == "simple" else path for path in local if path.exists()}
    volumes = [f"{file}:/etc/pip.conf:ro", *(f"{path}:{path}:ro" for path in sorted(folders))]
    return [word for volume in volumes for word in ("--volume", volume)]
