"""Alerts: once for each change, at once for the worse, when it lasts for the better, and no storm in between."""

import datetime
from collections.abc import Callable
from typing import Any

import pytest

from apikeys import webhooks
from apikeys.models import Delivery
from mlflow_proxy.health import alerts, channels, history
from mlflow_proxy.health.alerts import Memory
from mlflow_proxy.health.answers import Probe, Status
from mlflow_proxy.health.channels import Channel, News, UndeliveredError
from mlflow_proxy.models import AlertChannel

T0 = datetime.datetime(2026, 11, 20, 12, 0, tzinfo=datetime.UTC)


def minutes(count: float) -> datetime.timedelta:
    return datetime.timedelta(minutes=count)


def memory(*failing: str, at: datetime.datetime | None = T0) -> Memory:
    return Memory(frozenset(failing), at)


@pytest.mark.parametrize(
    ("told", "failing", "passing_for", "after", "kind"),
    [
        (memory(at=None), [], {}, 0, None),
        (memory(at=None), ["mlflow"], {}, 0, "worse"),
        (memory("mlflow"), ["mlflow"], {}, 5, None),
        (memory("mlflow"), ["mlflow", "artifact_store"], {}, 5, "worse"),
        (memory("mlflow"), [], {"mlflow": 5}, 15, None),
        (memory("mlflow"), [], {"mlflow": 10}, 15, "well"),
        (memory("mlflow", "database"), ["database"], {"mlflow": 10}, 15, "better"),
        (memory("mlflow", "database"), [], {"mlflow": 10, "database": 5}, 15, None),
        (memory("mlflow", "asked no more"), [], {"mlflow": 10}, 15, "well"),
        (memory("mlflow"), ["mlflow"], {}, 24 * 60 - 1, None),
        (memory("mlflow"), ["mlflow"], {}, 24 * 60, "reminder"),
        (memory(), [], {}, 24 * 60, None),
    ],
)
def test_kind_of_news(told: Memory, failing: list[str], passing_for: dict[str, int], after: int, kind: str) -> None:
    now = T0 + minutes(after)
    since = {name: now - minutes(count) for name, count in passing_for.items()}
    assert alerts.judge(told, failing, since, now) == kind


class Listener:
    """A channel that remembers, and refuses while it is told to."""

    def __init__(self, name: str = "mail") -> None:
        self.heard: list[News] = []
        self.is_deaf = False
        self.channel = Channel(name, self.send)

    def send(self, news: News) -> None:
        if self.is_deaf:
            raise UndeliveredError("planted")
        self.heard.append(news)

    @property
    def kinds(self) -> list[str]:
        return [news.kind for news in self.heard]


@pytest.fixture
def listeners(monkeypatch: pytest.MonkeyPatch) -> list[Listener]:
    both = [Listener("mail"), Listener("webhook")]
    monkeypatch.setattr(channels, "configured", lambda: [one.channel for one in both])
    return both


@pytest.fixture
def check(db: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A factory: a check at a minute, with these states by name; the alerts that follow."""

    def make(minute: float, **states: Status) -> None:
        monkeypatch.setattr(history, "database_now", lambda: T0 + minutes(minute))
        probes = [
            Probe(name, status, 1.0, reason="" if status == "passed" else "R", hint="h")
            for name, status in states.items()
        ]
        row = history.begin("worker", len(probes))
        history.end(row, probes)
        alerts.tell(row, probes)

    return make


def test_failure_is_told_once_and_its_end_once(listeners: list[Listener], check: Any) -> None:
    check(0, mlflow="passed")
    for minute in (5, 10, 15):
        check(minute, mlflow="failed")
    for minute in (20, 25, 30, 35, 40):
        check(minute, mlflow="passed")
    assert listeners[0].kinds == ["worse", "well"]
    assert [news.at for news in listeners[0].heard] == [T0 + minutes(10), T0 + minutes(30)]
    assert listeners[0].heard[1].recovered == ["mlflow"]


def test_failure_of_one_check_alone_is_no_news(listeners: list[Listener], check: Any) -> None:
    for minute in range(0, 240, 5):
        check(minute, mlflow="failed" if minute % 10 else "passed")
    assert listeners[0].kinds == []


def test_failure_that_comes_and_goes_is_told_once(listeners: list[Listener], check: Any) -> None:
    for minute in range(0, 240, 5):
        check(minute, mlflow="passed" if minute % 15 == 0 else "failed")
    assert listeners[0].kinds == ["worse"]


def test_second_failure_is_told_as_well(listeners: list[Listener], check: Any) -> None:
    for minute in (0, 5):
        check(minute, mlflow="failed", bucket_versioning="passed")
    for minute in (10, 15):
        check(minute, mlflow="failed", bucket_versioning="failed")
    assert listeners[0].kinds == ["worse", "worse"]
    assert [probe.name for probe in listeners[0].heard[1].failures] == ["mlflow", "bucket_versioning"]


def test_lasting_failure_is_told_again_once_a_day(listeners: list[Listener], check: Any) -> None:
    for hour in range(74):
        check(60 * hour, mlflow="failed")
    assert listeners[0].kinds == ["worse", "reminder", "reminder", "reminder"]


def test_failure_that_can_not_be_asked_about_has_not_recovered(listeners: list[Listener], check: Any) -> None:
    for minute in (0, 1):
        check(minute, artifact_write="failed", artifact_store="passed")
    for minute in (5, 6):
        check(minute, artifact_write="unknown", artifact_store="failed")
    for minute in (10, 20, 30):
        check(minute, artifact_write="unknown", artifact_store="passed")
    assert listeners[0].kinds == ["worse", "worse", "better"]


def test_unknown_alone_is_no_news(listeners: list[Listener], check: Any) -> None:
    check(0, mlflow="unknown")
    assert listeners[0].kinds == []


def test_channel_that_is_deaf_hears_it_later_and_the_other_once(listeners: list[Listener], check: Any) -> None:
    listeners[0].is_deaf = True
    for minute in (0, 5, 6):
        check(minute, mlflow="failed")
    listeners[0].is_deaf = False
    check(10, mlflow="failed")
    check(15, mlflow="failed")
    assert [one.kinds for one in listeners] == [["worse"], ["worse"]]


def test_channel_that_never_heard_of_it_is_not_told_of_its_end(listeners: list[Listener], check: Any) -> None:
    listeners[0].is_deaf = True
    for minute in (0, 1):
        check(minute, mlflow="failed")
    listeners[0].is_deaf = False
    for minute in (5, 20, 40):
        check(minute, mlflow="passed")
    assert listeners[0].kinds == []


def test_undelivered_alert_is_logged(listeners: list[Listener], check: Any, caplog: pytest.LogCaptureFixture) -> None:
    listeners[0].is_deaf = True
    for minute in (0, 1):
        check(minute, mlflow="failed")
    assert "health_alert_undelivered" in caplog.text


@pytest.mark.django_db
def test_memory_outlives_the_process(listeners: list[Listener], check: Any) -> None:
    for minute in (0, 1):
        check(minute, mlflow="failed")
    assert {row.name: row.told for row in AlertChannel.objects.all()} == {"mail": ["mlflow"], "webhook": ["mlflow"]}


def test_queue_that_fails_after_sending_keeps_neither_message_nor_memory(
    check: Any, platform: Any, actor: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.HOKUSAI_WEBHOOK_NETWORKS = ["127.0.0.1"]
    asked = {"webhook_id": "chat", "url": "http://127.0.0.1:9/", "types": ["storage_health.changed"]}
    webhooks.create_webhook(**asked, actor=actor)
    check(0, mlflow="failed")
    with monkeypatch.context() as patch:
        patch.setattr(AlertChannel.objects, "update_or_create", lambda **_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            check(1, mlflow="failed")
    assert not Delivery.objects.exists()
    check(2, mlflow="failed")
    assert [delivery.document["data"]["kind"] for delivery in Delivery.objects.all()] == ["worse"]
