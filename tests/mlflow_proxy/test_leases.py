"""Leases: one process at a time, not before it is due, and a holder that dies holds nobody up for long."""

import contextlib
import datetime
import subprocess
import sys
from collections.abc import Iterator

import pytest
from django.db import OperationalError, connection

from apikeys.models import database_now
from mlflow_proxy import leases
from mlflow_proxy.models import Lease
from tests.mlflow_proxy.portal import ROOT, Home

HOLD = """
import sys
import django
django.setup()
from mlflow_proxy import leases
with leases.single_flight("thing", seconds=60) as is_ours:
    print(is_ours, flush=True)
    sys.stdin.read()
"""

pytestmark = pytest.mark.django_db


def age(name: str, seconds: float) -> None:
    """Let time pass for a lease."""
    past = datetime.timedelta(seconds=seconds)
    for row in Lease.objects.filter(name=name):
        Lease.objects.filter(name=name).update(taken_at=row.taken_at - past, until=row.until - past)


def test_thing_that_nobody_does_is_ours() -> None:
    with leases.single_flight("thing", seconds=60) as is_ours:
        assert is_ours


def test_thing_is_free_again_after_the_block() -> None:
    for _ in range(2):
        with leases.single_flight("thing", seconds=60) as is_ours:
            assert is_ours


def test_thing_is_free_again_after_a_block_that_fails() -> None:
    with contextlib.suppress(RuntimeError), leases.single_flight("thing", seconds=60):
        raise RuntimeError
    with leases.single_flight("thing", seconds=60) as is_ours:
        assert is_ours


def test_other_things_are_free_meanwhile() -> None:
    with leases.single_flight("thing", seconds=60), leases.single_flight("other", seconds=60) as is_ours:
        assert is_ours


def test_thing_done_lately_is_not_due() -> None:
    with leases.single_flight("thing", seconds=60, every=100):
        pass
    age("thing", 50)
    with leases.single_flight("thing", seconds=60, every=100) as is_ours:
        assert not is_ours
    age("thing", 50)
    with leases.single_flight("thing", seconds=60, every=100) as is_ours:
        assert is_ours


def test_row_says_who_began_and_when() -> None:
    with leases.single_flight("thing", seconds=60):
        row = Lease.objects.get()
        assert row.holder == leases._holder()
        assert row.until - row.taken_at == datetime.timedelta(seconds=60)
    assert Lease.objects.get().until <= database_now()


def test_lease_that_cannot_be_given_back_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with leases.single_flight("thing", seconds=60) as is_ours:

        def gone() -> None:
            raise OperationalError

        monkeypatch.setattr(leases, "database_now", gone)
    assert is_ours


@pytest.mark.skipif("connection.vendor != 'sqlite'", reason="PostgreSQL holds a lock, see the live tests")
def test_lease_of_a_holder_that_died_ends_by_its_time() -> None:
    assert connection.vendor == "sqlite"
    with contextlib.ExitStack() as never_left:
        never_left.enter_context(leases.single_flight("thing", seconds=60))
        age("thing", 30)
        with leases.single_flight("thing", seconds=60) as is_ours:
            assert not is_ours
        age("thing", 30)
        with leases.single_flight("thing", seconds=60) as is_ours:
            assert is_ours


@contextlib.contextmanager
def process_that_holds(home: Home) -> Iterator[tuple[bool, subprocess.Popen[str]]]:
    """Another process inside the block, until the end; and whether the thing was its to do."""
    command = [sys.executable, "-c", HOLD]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=ROOT, env=home.environment(), **pipes) as process:
        yield process.stdout.readline() == "True\n", process
        if process.poll() is None:
            process.communicate()


def test_two_processes_do_not_do_it_at_once(home: Home) -> None:
    with process_that_holds(home) as (first, _), process_that_holds(home) as (second, _):
        assert (first, second) == (True, False)
    with process_that_holds(home) as (third, _):
        assert third


def test_killed_process_holds_others_up_until_its_lease_ends(home: Home) -> None:
    with process_that_holds(home) as (_, process):
        process.kill()
        process.wait()
    with process_that_holds(home) as (second, _):
        assert not second
    # Its database is not this process's.
    home.manage("shell", "--no-imports", "--command", f"from {__name__} import age; age('thing', 60)")
    with process_that_holds(home) as (later, _):
        assert later
