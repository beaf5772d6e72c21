"""The client as one file: the same bytes each time, and it runs where the package is not installed."""

import subprocess
import sys
import zipfile

import pytest

from hokusai_portal import env

BUILD = env.BASE_DIR / "client/single_file.py"


def build(target, umask=0o22, **environment):
    subprocess.run([sys.executable, BUILD, target], env=environment, check=True, umask=umask)
    return target


@pytest.fixture
def start(home, url):
    """Run the file as a program of its own, which knows an address and no key but one that is given."""
    file = build(home / "dist/hokusai-portal.pyz")

    def run_file(*words, key=""):
        environment = {"XDG_CONFIG_HOME": str(home / "config"), "HOKUSAI_PORTAL_URL": url, "HOKUSAI_API_KEY": key}
        command = [sys.executable, "-W", "error", file, *words]
        return subprocess.run(command, env=environment, cwd=home, capture_output=True, text=True, check=False)

    return run_file


def test_same_sources_make_the_same_bytes(tmp_path):
    first, second = build(tmp_path / "a.pyz", TZ="UTC"), build(tmp_path / "new/b.pyz", TZ="Asia/Tokyo", umask=0o77)
    assert first.read_bytes() == second.read_bytes()
    assert first.stat().st_mode & 0o777 == second.stat().st_mode & 0o777 == 0o755


def test_file_holds_every_module_and_nothing_else(tmp_path):
    package = env.BASE_DIR / "client/hokusai_portal_client"
    names = {f"{package.name}/{path.name}" for path in package.glob("*.py")}
    assert set(zipfile.ZipFile(build(tmp_path / "a.pyz")).namelist()) == names | {"__main__.py"}


def test_help_names_the_commands(start):
    done = start("--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "usage: hokusai-portal " in done.stdout


def test_file_asks_the_portal_whose_key_it_is(start, me, secret):
    done = start("whoami", "--quiet", key=secret)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{secret[:20]}\n", "")


def test_file_ends_with_the_status_of_its_command(start, refuse, secret):
    refuse("/api/v1/whoami", 401, "UNAUTHENTICATED")
    assert start("whoami", key=secret).returncode == 3
    assert start("whoami").returncode == 2
