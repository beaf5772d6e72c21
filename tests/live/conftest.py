"""Fixtures of the live tests: one real stack for the whole session, ended with it."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.live.processes import CLIENT_PYTHON, Program
from tests.live.stack import BUCKET, PREFIX, ComponentMissingError, Database, Mlflow, Portal, Store


class Stack:
    """Everything that runs: two portals, each before its own MLflow server."""

    def __init__(self, folder: Path) -> None:
        if not CLIENT_PYTHON.exists():
            raise ComponentMissingError(f"no MLflow at {CLIENT_PYTHON}: make .venv-mlflow/.installed")
        for name in ("database", "store"):
            (folder / name).mkdir()
        self.folder = folder
        self.database = Database(folder / "database")
        self.store = Store(folder / "store")
        self.running: list[Program] = []
        self.local: Portal
        self.s3: Portal

    def start(self) -> None:
        with ThreadPoolExecutor() as pool:
            store = pool.submit(self.store.start)
            self.database.start()
            local = self._mlflow("mlflow-local", str(self.folder / "local-artifacts"))
            self.local = self._portal("portal-local", local)
            portals = [pool.submit(self.local.start)]
            store.result()
            remote = self._mlflow("mlflow-s3", f"s3://{BUCKET}/{PREFIX}", **self.store.environment())
            self.s3 = self._portal("portal-s3", remote)
            portals.append(pool.submit(self.s3.start))
            for portal in portals:
                portal.result()
            for waiting in [pool.submit(portal.wait_until_ready) for portal in (self.local, self.s3)]:
                waiting.result()

    def _mlflow(self, name: str, destination: str, **more: str) -> Mlflow:
        database = self.database.create(name.replace("-", "_"))
        server = Mlflow(name, self.folder, database=database, destination=destination, **more)
        self.running.append(server)
        server.start()
        return server

    def _portal(self, name: str, mlflow: Mlflow) -> Portal:
        database = self.database.create(name.replace("-", "_"))
        portal = Portal(name, self.folder, mlflow=mlflow, database=database)
        self.running.append(portal)
        return portal

    def tails(self) -> str:
        return "\n".join(program.tail() for program in (*self.running, self.store.program))

    def end(self) -> None:
        with ThreadPoolExecutor() as pool:
            for ending in [pool.submit(program.end) for program in reversed(self.running)]:
                ending.result()
            pool.submit(self.store.end).result()
            self.database.end()


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    # A cancelled job is sent SIGTERM, which would leave the servers behind: take it like Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        stack = Stack(tmp_path_factory.mktemp("live"))
    except ComponentMissingError as error:
        _give_up(error)
    try:
        try:
            stack.start()
        except ComponentMissingError as error:
            _give_up(error)
        except Exception:
            print(stack.tails())
            raise
        yield stack
    finally:
        stack.end()


def _give_up(error: ComponentMissingError) -> None:
    reason = f"THE LIVE TESTS DID NOT RUN: {error}"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def local(stack: Stack) -> Portal:
    """Return the portal before an MLflow that keeps artifacts in a folder."""
    return stack.local


@pytest.fixture(scope="session")
def s3(stack: Stack) -> Portal:
    """Return the portal before an MLflow that keeps artifacts in an S3 store."""
    return stack.s3


@pytest.fixture(params=["local", "s3"])
def portal(request: pytest.FixtureRequest, stack: Stack) -> Portal:
    """Return each of the two portals."""
    found: Portal = getattr(stack, request.param)
    return found


@pytest.fixture(scope="session", autouse=True)
def _straight_requests() -> Iterator[None]:
    """Keep the tests' own requests from this machine's netrc and proxies."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NETRC", os.devnull)
        patch.setenv("NO_PROXY", "*")
        yield


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Add the ends of the servers' logs to the report of a failed test."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    stack = getattr(item, "funcargs", {}).get("stack")
    if report.when == "call" and report.failed and isinstance(stack, Stack):
        report.sections.append(("servers", stack.tails()))
