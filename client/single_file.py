"""Builds the command hokusai-portal as one file that any Python from 3.9 on runs; knows nothing of what is in it.

The same sources make the same bytes, wherever and whenever: what people download can be compared with what they read.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
import zipapp
from pathlib import Path

PACKAGE = Path(__file__).parent / "hokusai_portal_client"
# A zip has no time zone: what it holds is the local time.
MADE_AT = (2026, 1, 1, 0, 0, 0, 0, 0, -1)


def build(target: Path) -> None:
    """Write the file, and the folder that it is to lie in."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for source in PACKAGE.glob("*.py"):
            _copy(source, folder / PACKAGE.name / source.name)
        # zipapp would make one that throws the exit status away.
        _copy(PACKAGE / "__main__.py", folder / "__main__.py")
        zipapp.create_archive(folder, target, "/usr/bin/env python3", filter=lambda path: path.suffix == ".py")
    target.chmod(0o755)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(0o644)
    os.utime(target, (time.mktime(MADE_AT),) * 2)


if __name__ == "__main__":
    build(Path(sys.argv[1]))
