"""Walks for staff: kept hop by hop, with a key that nobody sees and that ends with the walk, one at a time."""

import json
import re
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from django.db import OperationalError

from apikeys import actions
from apikeys.actions import Actor
from apikeys.models import ApiKey, AuditEvent, Service
from mlflow_proxy import leases
from mlflow_proxy.health import doctor, walk_report, walks
from mlflow_proxy.models import DoctorWalk
from tests.mlflow_proxy.health.good_portal import GoodPortal, page
from tests.mlflow_proxy.stub import Answer, Seen, Stub, ok

ANY_KEY = r"hk_live_\w{52}"
HOPS = [name for name in doctor.TITLES if name != "tls"]


@pytest.fixture(autouse=True)
def _small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walks, "Walk", partial(doctor.Walk, large_bytes=300_000))


@pytest.fixture
def stub() -> Iterator[Stub]:
    stub = Stub()
    yield stub
    stub.stop()


@pytest.fixture
def portal(stub: Stub, db: None) -> GoodPortal:
    portal = GoodPortal(keys=ANY_KEY)
    stub.script = portal.script
    return portal


def lent(stub: Stub) -> set[str]:
    """Return the keys that the stub was shown."""
    headers = (seen.header("Authorization") or "" for seen in stub.seen)
    return {header.removeprefix("Bearer ") for header in headers if header}


def test_walk_keeps_every_hop(stub: Stub, portal: GoodPortal, actor: Actor) -> None:
    row = walks.walk(stub.url, actor)
    assert row is not None
    assert [hop["name"] for hop in row.hops] == HOPS
    assert walks.failed_names(row) == []
    row.refresh_from_db()
    assert (row.asked_by, row.portal, bool(row.ended_at)) == ("alice", stub.url, True)
    assert portal.files == {}


def test_walk_uses_a_key_of_the_doctor_and_ends_it(stub: Stub, portal: GoodPortal, actor: Actor) -> None:
    walks.walk(stub.url, actor)
    key = ApiKey.objects.get()
    assert {secret[:20] for secret in lent(stub)} == {key.public_id}
    assert (key.service.service_id, key.scopes) == ("hokusai-doctor", sorted(walks.SCOPES))
    assert key.is_revoked


def test_walk_is_in_the_audit_trail(stub: Stub, portal: GoodPortal, actor: Actor) -> None:
    walks.walk(stub.url, actor)
    events = AuditEvent.objects.filter(service_id="hokusai-doctor", actor="alice").order_by("pk")
    assert [event.action for event in events] == ["service_created", "api_key_issued", "api_key_revoked"]


def test_secret_is_kept_nowhere_although_a_server_sends_it_back(
    stub: Stub, portal: GoodPortal, actor: Actor, log_output: Any
) -> None:
    def mirror(seen: Seen) -> Answer:
        return Answer([page("404 Not Found", f"{'x' * 120} {seen.header('Authorization')}")])

    portal.broken[r"PUT .*small"] = mirror
    row = walks.walk(stub.url, actor)
    assert row is not None
    assert walks.failed_names(row) == ["small_file"]
    (secret,) = lent(stub)
    kept = json.dumps(row.hops) + str(list(AuditEvent.objects.values())) + log_output.getvalue()
    assert secret[20:28] not in kept


def test_walk_that_fails_ends_its_key_too(stub: Stub, portal: GoodPortal, actor: Actor) -> None:
    portal.broken[r"PUT .*large"] = page("413 Too Large")
    row = walks.walk(stub.url, actor)
    assert row is not None
    assert (row.hops[-1]["reason"], ApiKey.objects.get().is_revoked) == ("PROXY_LIMIT", True)


def test_walk_that_breaks_ends_its_key_too(
    stub: Stub, portal: GoodPortal, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(doctor.Walk, "download", broken)
    with pytest.raises(ZeroDivisionError):
        walks.walk(stub.url, actor)
    assert ApiKey.objects.get().is_revoked


def test_key_of_a_walk_that_died_is_ended_by_the_next(stub: Stub, portal: GoodPortal, actor: Actor) -> None:
    service = actions.create_service(service_id=walks.SERVICE, actor=actor)
    left = actions.issue_key(service=service, name="walk", scopes=walks.SCOPES, actor=actor).row
    walks.walk(stub.url, actor)
    left.refresh_from_db()
    assert (left.is_revoked, ApiKey.objects.usable().count()) == (True, 0)


def test_disabled_service_of_the_doctor_forbids_walks(stub: Stub, portal: GoodPortal, actor: Actor) -> None:
    service = actions.create_service(service_id=walks.SERVICE, actor=actor)
    actions.disable_service(service=service, reason="no walks", actor=actor)
    row = walks.walk(stub.url, actor)
    assert row is not None
    assert [(hop["name"], hop["reason"]) for hop in row.hops] == [("key", "KEY_NOT_LENT")]
    assert (stub.seen, ApiKey.objects.count()) == ([], 0)


def test_newest_walk_alone_is_kept(stub: Stub, portal: GoodPortal, actor: Actor) -> None:
    walks.walk(stub.url, actor)
    row = walks.walk(stub.url, actor)
    assert list(DoctorWalk.objects.all()) == [row]


def test_walk_while_another_is_under_way_is_none(portal: GoodPortal, actor: Actor) -> None:
    with leases.single_flight("doctor_walk", seconds=60):
        answers: list[Any] = []
        thread = threading.Thread(target=lambda: answers.append(walks.walk("http://127.0.0.1:9", actor)))
        # On PostgreSQL a lock is the connection's, so the other one asks from a thread with its own.
        if leases.connection.vendor == "sqlite":
            answers.append(walks.walk("http://127.0.0.1:9", actor))
        else:
            thread.start()
            thread.join()
    assert (answers, Service.objects.filter(service_id=walks.SERVICE).exists()) == ([None], False)


def test_walk_tells_how_far_it_is(
    stub: Stub, portal: GoodPortal, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walks, "PAUSE_BETWEEN_NOTES", 0)
    told: set[str] = set()
    note = walks.Notes._note

    def watch(self: walks.Notes, moved: str) -> None:
        note(self, moved)
        told.add(DoctorWalk.objects.get().moved)

    monkeypatch.setattr(walks.Notes, "_note", watch)
    walks.walk(stub.url, actor)
    assert told == {"", "0 of 0 MiB"}


def test_walk_that_takes_too_long_is_ended(
    stub: Stub, portal: GoodPortal, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walks, "LONGEST_SECONDS", 0)
    row = walks.walk(stub.url, actor)
    assert row is not None
    assert (row.hops[-1]["name"], row.hops[-1]["reason"]) == ("large_file", "TOO_SLOW")
    assert ApiKey.objects.get().is_revoked


# In a thread of its own.


@pytest.fixture
def _aside_ends() -> Iterator[None]:
    yield
    for thread in threading.enumerate():
        if thread.name == "doctor-walk":
            thread.join(30)


@pytest.mark.usefixtures("_aside_ends")
def test_walk_aside_survives_a_database_that_is_gone(
    actor: Actor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def gone(*_: Any) -> None:
        raise OperationalError

    monkeypatch.setattr(walks, "walk", gone)
    walks.walk_aside("http://127.0.0.1:9", actor).join(30)
    assert "doctor_walk_failed" in caplog.text


@pytest.mark.usefixtures("_aside_ends")
def test_walk_aside_returns_when_the_walk_can_be_seen(actor: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    end, seen = threading.Event(), []

    def walk(portal: str, actor: Actor, on_begin: Callable[[], None]) -> None:
        seen.append((portal, actor.name))
        on_begin()
        end.wait(60)

    monkeypatch.setattr(walks, "MOMENT", 60)
    monkeypatch.setattr(walks, "walk", walk)
    thread = walks.walk_aside("http://127.0.0.1:9", actor)
    assert (seen, thread.is_alive()) == ([("http://127.0.0.1:9", "alice")], True)
    end.set()


# What a page shows of it.


def kept(*hops: tuple[str, str], **more: Any) -> walk_report.WalkReport:
    answers = [{"name": name, "status": status, "latency_ms": 1.0} for name, status in hops]
    DoctorWalk.objects.create(portal="http://127.0.0.1:8000", asked_by="alice", hops=answers, **more)
    return walk_report.report()


@pytest.mark.django_db
def test_report_before_any_walk_is_grey() -> None:
    found = walk_report.report()
    assert (found.light, found.steps, found.walk) == ("grey", [], None)


def test_report_of_a_good_walk_is_green(stub: Stub, portal: GoodPortal, actor: Actor) -> None:
    walks.walk(stub.url, actor)
    found = walk_report.report()
    assert (found.light, found.answered, found.failure, found.is_running) == ("green", len(HOPS), None, False)


def test_report_of_a_failed_walk_names_the_hop_and_what_was_not_asked(
    stub: Stub, portal: GoodPortal, actor: Actor
) -> None:
    portal.broken["GET /health"] = ok(b"OK", "Content-Type: text/plain")
    walks.walk(stub.url, actor)
    found = walk_report.report()
    assert (found.light, found.sentence) == ("red", "The first hop that failed is “portal answers”.")
    assert [step.word for step in found.steps][:4] == ["passed", "passed", "failed", "not asked"]


@pytest.mark.django_db
def test_report_of_a_walk_under_way_says_where_it_is() -> None:
    found = kept(("address", "passed"), ("connection", "passed"))
    assert (found.light, found.is_running, found.answered) == ("grey", True, 2)
    assert [step.word for step in found.steps][:4] == ["passed", "passed", "under way", "waiting"]


@pytest.mark.django_db
def test_report_of_a_walk_that_died_says_so() -> None:
    DoctorWalk.objects.create(portal="http://127.0.0.1:8000", asked_by="alice")
    DoctorWalk.objects.update(started_at=walks.database_now() - walks.ABANDONED_AFTER)
    found = walk_report.report()
    assert (found.light, found.is_running) == ("grey", False)
    assert re.search("came to no end", found.sentence)


@pytest.mark.django_db
def test_report_leaves_a_hop_out_that_this_version_does_not_know() -> None:
    assert "teleport" not in [step.title for step in kept(("teleport", "passed")).steps]
