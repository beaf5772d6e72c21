"""Fixtures of the live tests: one real stack for the whole session, ended with it."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.live import grounds as grounds_module
from tests.live import tables
from tests.live.grounds import Ground
from tests.live.processes import CLIENT_PYTHON, Program
from tests.live.stack import BUCKET, PREFIX, ComponentMissingError, Database, Mlflow, Portal, Store


class Stack:
    """Everything that runs: two MLflow servers, and before each a portal that forwards and its twin in direct mode."""

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
        self.local_direct: Portal
        self.s3_direct: Portal

    def start(self) -> None:
        with ThreadPoolExecutor() as pool:
            store = pool.submit(self.store.start)
            self.database.start()
            local = self._mlflow("mlflow-local", str(self.folder / "local-artifacts"))
            self.local = self.stranger(local, "portal-local")
            self.local_direct = self.direct_twin(self.local, "portal-local-direct")
            portals = [pool.submit(_start, self.local, self.local_direct)]
            store.result()
            remote = self._mlflow("mlflow-s3", f"s3://{BUCKET}/{PREFIX}", **self.store.environment())
            self.s3 = self.stranger(remote, "portal-s3")
            self.s3_direct = self.direct_twin(self.s3, "portal-s3-direct", **self.store.environment())
            portals.append(pool.submit(_start, self.s3, self.s3_direct))
            for portal in portals:
                portal.result()
            everyone = (self.local, self.s3, self.local_direct, self.s3_direct)
            for waiting in [pool.submit(portal.wait_until_ready) for portal in everyone]:
                waiting.result()

    def _mlflow(self, name: str, destination: str, **more: str) -> Mlflow:
        database = self.database.create(name.replace("-", "_"))
        server = Mlflow(name, self.folder, database=database, destination=destination, **more)
        self.running.append(server)
        server.start()
        return server

    def stranger(self, mlflow: Mlflow, name: str) -> Portal:
        """Return a portal before an MLflow, with keys of its own; the caller starts it."""
        database = self.database.create(name.replace("-", "_"))
        portal = Portal(name, self.folder, mlflow=mlflow, database=database)
        self.running.append(portal)
        return portal

    def twin(self, portal: Portal, name: str, **more: str) -> Portal:
        """Return another portal before the same MLflow, with the same keys; the caller starts it."""
        database = portal.environment["DATABASE_URL"]
        twin = Portal(name, self.folder, mlflow=portal.mlflow, database=database, twin=portal, **more)
        self.running.append(twin)
        return twin

    def direct_twin(self, portal: Portal, name: str, **more: str) -> Portal:
        return self.twin(portal, name, HOKUSAI_ARTIFACT_DESTINATION=portal.mlflow.destination, **more)

    def tails(self) -> str:
        return "\n".join(program.tail() for program in (*self.running, self.store.program))

    def end(self) -> None:
        with ThreadPoolExecutor() as pool:
            for ending in [pool.submit(program.end) for program in reversed(self.running)]:
                ending.result()
            pool.submit(self.store.end).result()
            self.database.end()


def _start(portal: Portal, twin: Portal) -> None:
    portal.start()
    twin.start()


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


@pytest.fixture(scope="session")
def s3_direct(stack: Stack) -> Portal:
    """Return the portal that speaks to the S3 store itself."""
    return stack.s3_direct


@pytest.fixture(scope="session")
def grounds(stack: Stack) -> Iterator[dict[str, Ground]]:
    """Return where trials take place, by name."""
    with grounds_module.opened(stack) as opened:
        yield opened


@pytest.fixture(params=["local", "s3", "local_direct", "s3_direct"])
def portal(request: pytest.FixtureRequest, stack: Stack) -> Portal:
    """Return each of the portals."""
    found: Portal = getattr(stack, request.param)
    return found


@pytest.fixture(scope="session", autouse=True)
def _straight_requests() -> Iterator[None]:
    """Keep the tests' own requests from this machine's netrc and proxies."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NETRC", os.devnull)
        patch.setenv("NO_PROXY", "*")
        yield


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """End the report with the tables of what ran."""
    for title, text in tables.TABLES:
        terminalreporter.section(title)
        terminalreporter.write_line(text)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Add the ends of the servers' logs to the report of a failed test."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    stack = getattr(item, "funcargs", {}).get("stack")
    if report.when == "call" and report.failed and isinstance(stack, Stack):
        report.sections.append(("servers", stack.tails()))
