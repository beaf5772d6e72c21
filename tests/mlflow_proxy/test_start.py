"""Starting the portal: by gunicorn's command alone, and without anything that must not cross a fork."""

from pathlib import Path

import pytest

from tests.mlflow_proxy.portal import Home, Portal, running
from tests.mlflow_proxy.stub import Stub


def test_start_needs_no_settings_variable(home: Home, upstream: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = home.environment

    def bare(**more: str) -> dict[str, str]:
        return {name: value for name, value in environment(**more).items() if name != "DJANGO_SETTINGS_MODULE"}

    monkeypatch.setattr(home, "environment", bare)
    with running(home, upstream, "bare") as portal:
        assert portal.process.poll() is None


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="reads open files from /proc")
def test_start_leaves_no_database_open_across_the_fork(served: Portal) -> None:
    links = list(Path(f"/proc/{served.process.pid}/fd").iterdir())
    assert [name for link in links if "sqlite" in (name := str(link.readlink()))] == []
