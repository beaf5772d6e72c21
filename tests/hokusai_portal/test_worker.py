"""The worker: each job when it is due and once for all, whatever fails; and it ends when it is told to."""

import signal
import subprocess
import sys
import threading
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connections

from hokusai_portal import env, jobs, worker
from hokusai_portal.jobs import Job, Report
from hokusai_portal.worker import Turn, Worker
from mlflow_proxy import leases
from mlflow_proxy.exceptions import StoreRefusedError
from mlflow_proxy.models import Lease
from tests.docs.documents import rows, sections
from tests.mlflow_proxy.portal import Home, eventually
from tests.mlflow_proxy.test_leases import age


class Work:
    """A job that counts, and does what a test puts in."""

    def __init__(self, every=100.0, again_in=None, **more):
        self.count = 0
        self.error = None
        self.again_in = again_in
        self.job = Job("work", every, self.run, **more)

    def run(self):
        self.count += 1
        if self.error:
            raise self.error
        return Report({"done": self.count}, self.again_in)


@pytest.fixture(autouse=True)
def _keep_connection(monkeypatch):
    """The test's transaction ends with its connection."""
    monkeypatch.setattr(worker.connections, "close_all", lambda: None)


@pytest.fixture
def work(db):
    return Work()


def test_job_that_was_never_done_is_due(work, log_output):
    assert Turn(work.job).take() == 100
    assert work.count == 1
    (line,) = log_output.events("job_finished")
    assert (line["job"], line["done"]) == ("work", 1)
    assert line["seconds"] >= 0


def test_job_that_another_replica_has_done_is_looked_at_sooner(work):
    Turn(work.job).take()
    assert Turn(work.job).take() == 25
    assert work.count == 1


def test_job_is_due_again_after_its_interval(work):
    Turn(work.job).take()
    age("job work", 95)
    Turn(work.job).take()
    assert work.count == 2


def test_job_that_another_replica_does_now_is_left_to_it(work):
    with leases.single_flight("job work", seconds=60):
        age("job work", 50)
        if leases.connection.vendor == "sqlite":
            Turn(work.job).take()
    assert work.count == 0


def test_job_that_wants_to_come_again_sooner_does(db):
    work = Work(again_in=10)
    turn = Turn(work.job)
    assert turn.take() == 10
    age("job work", 10)
    turn.take()
    assert work.count == 2


def test_job_that_fails_is_logged_and_comes_again(work, log_output):
    work.error = RuntimeError("planted")
    turn = Turn(work.job)
    assert turn.take() == 100
    (line,) = log_output.events("job_failed")
    assert (line["job"], line["reason"]) == ("work", "INTERNAL")
    assert "planted" in line["exception"]
    work.error = None
    age("job work", 100)
    turn.take()
    assert len(log_output.events("job_finished")) == 1


def test_job_that_the_store_refuses_says_why_without_a_traceback(work, log_output):
    work.error = StoreRefusedError(reason="STORE_DENIED", hint="Allow s3:ListBucket")
    Turn(work.job).take()
    (line,) = log_output.events("job_failed")
    assert (line["reason"], line["hint"]) == ("STORE_DENIED", "Allow s3:ListBucket")
    assert "exception" not in line


def test_database_that_is_away_is_waited_for_longer_and_longer(work, monkeypatch, log_output):
    def gone(*args, **kwargs):
        raise OperationalError

    turn = Turn(work.job)
    with monkeypatch.context() as patch:
        patch.setattr(leases, "_take", gone)
        pauses = [turn.take() for _ in range(9)]
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert len(log_output.events("job_waits_for_database")) == 9
    assert turn.take() == 100
    assert turn._back_off == 1


def test_database_that_goes_away_within_a_job_is_waited_for(work):
    work.error = OperationalError()
    assert Turn(work.job).take() == 1


def test_job_waits_for_what_starts_with_it_but_not_for_ever(db, monkeypatch):
    work = Work(may_begin=lambda: False)
    turn = Turn(work.job)
    assert (turn.take(), work.count) == (worker.WARM_UP_LOOK, 0)
    monkeypatch.setattr(turn, "_warm_at", 0.0)
    turn.take()
    assert work.count == 1


def test_job_asks_once_whether_it_may_begin(db):
    asked = []
    work = Work(may_begin=lambda: not asked.append(1))
    turn = Turn(work.job)
    for _ in range(3):
        turn.take()
    assert len(asked) == 1


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_worker_runs_every_job_and_stops_when_told(monkeypatch, log_output):
    monkeypatch.undo()
    done = {name: threading.Event() for name in ("first", "second")}

    def job(name):
        return Job(name, 100, lambda: (done[name].set(), Report({}))[1])

    running = Worker([job("first"), job("second")])
    thread = threading.Thread(target=running.run)
    thread.start()
    assert all(event.wait(30) for event in done.values())
    running.stop()
    thread.join(30)
    assert not thread.is_alive()


# Where the main thread stands still, the kernel hands a signal to any other; here to the one that sends it.
SIGNALLED = """
import signal, threading
import django
django.setup()
from hokusai_portal.worker import Worker
worker = Worker([])
signal.signal(signal.SIGTERM, lambda *_: worker.stop())
threading.Timer(0.5, lambda: signal.pthread_kill(threading.get_ident(), signal.SIGTERM)).start()
worker.run()
"""


def test_worker_ends_when_another_thread_takes_the_signal():
    done = subprocess.run([sys.executable, "-c", SIGNALLED], capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_worker_does_not_wait_for_a_job_that_hangs(monkeypatch):
    monkeypatch.setattr(worker, "GRACE_SECONDS", 0.1)
    begun, end = threading.Event(), threading.Event()
    running = Worker([Job("hangs", 100, lambda: (begun.set(), end.wait(60), Report({}))[2])])
    thread = threading.Thread(target=running.run)
    thread.start()
    begun.wait(30)
    running.stop()
    thread.join(30)
    assert not thread.is_alive()
    end.set()
    # Its database is the test's own: it must be through before that ends.
    for left in threading.enumerate():
        if left.name == "hangs":
            left.join(30)


def test_table_of_jobs_is_the_one_of_the_documents(settings):
    told = rows(sections("docs/operations.md")["The worker"])
    assert {name for name in told if name not in {"job", "---"}} == {job.name for job in jobs.jobs()}


def test_names_of_jobs_fit_a_lease():
    limit = Lease._meta.get_field("name").max_length
    assert all(len(f"job {job.name}") <= limit for job in jobs.jobs())


def test_storage_check_comes_again_sooner_while_it_is_red(monkeypatch):
    row = type("Row", (), {"light": "red", "answers": []})()
    monkeypatch.setattr(jobs.monitor, "check", lambda _: row)
    assert jobs.check_storage().again_in == jobs.MINUTE
    row.light = "amber"
    assert jobs.check_storage().again_in is None


def test_storage_check_that_runs_elsewhere_is_left(monkeypatch):
    monkeypatch.setattr(jobs.monitor, "check", lambda _: None)
    assert "left" in jobs.check_storage().facts


def test_mlflow_that_is_not_up_yet_is_waited_for(mlflow_down):
    assert not jobs.is_mlflow_up()


def test_mlflow_that_answers_badly_is_not_waited_for(upstream):
    assert jobs.is_mlflow_up()


def test_sweep_without_a_destination_is_left():
    assert "left" in jobs.sweep_uploads().facts


def test_sweep_removes_what_is_old(settings, tmp_path):
    settings.HOKUSAI_ARTIFACT_DESTINATION = str(tmp_path)
    assert jobs.sweep_uploads().facts == {"removed": 0}


def test_once_runs_every_job_and_says_which_failed(db, monkeypatch):
    works = [Work().job, Job("broken", 1, lambda: 1 / 0)]
    monkeypatch.setattr(jobs, "jobs", lambda: works)
    with pytest.raises(CommandError, match="Failed: broken"):
        call_command("run_worker", "--once", stdout=StringIO())


def test_once_runs_jobs_that_are_not_due(work, monkeypatch):
    monkeypatch.setattr(jobs, "jobs", lambda: [work.job])
    for _ in range(2):
        call_command("run_worker", "--once", stdout=StringIO())
    assert work.count == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_the_process_cleanly(tmp_path, number):
    home = Home(tmp_path, {})
    home.manage("migrate", "--verbosity", "0")
    command = [sys.executable, "manage.py", "run_worker"]
    log = tmp_path / "worker.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, cwd=env.BASE_DIR, env=home.environment(MLFLOW_SERVER_URL="http://127.0.0.1:9"), stderr=file
        )
    try:
        eventually(lambda: '"job_finished"' in log.read_text(), log.read_text)
        process.send_signal(number)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
    assert '"worker_stopped"' in log.read_text()
    assert "Traceback" not in log.read_text()


def test_job_that_did_nothing_has_no_line(db, log_output):
    worker.run_logged(Job("idle", 1, lambda: Report({})))
    assert [line["level"] for line in log_output.events("job_finished")] == ["debug"]


def test_webhooks_job_says_what_it_sent(db, monkeypatch):
    assert jobs.send_to_webhooks().facts == {}
    monkeypatch.setattr(jobs.outbox, "run", lambda: {"delivered": 2})
    assert jobs.send_to_webhooks().facts == {"delivered": 2}


def test_pruning_job_says_how_many_it_removed(db):
    assert jobs.prune_deliveries().facts == {"removed": 0}


def test_worker_process_is_in_a_hurry_for_its_connections(monkeypatch):
    pool = {"timeout": 20.0, "reconnect_timeout": 20.0}
    monkeypatch.setitem(connections["default"].settings_dict["OPTIONS"], "pool", pool)
    monkeypatch.setattr(Worker, "run", lambda _: None)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    call_command("run_worker")
    assert pool == {"timeout": 0.9, "reconnect_timeout": 3.0}
