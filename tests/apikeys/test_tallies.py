"""Tallies: what is counted together, that callers cannot make rows without end, and that nothing is lost on the way."""

import datetime
import threading

import pytest
import time_machine

from apikeys import keys
from apikeys.calls import FinishedCall
from apikeys.rollups import COUNTERS
from apikeys.tallies import MAXIMUM_CLIENTS, Kind, Tally, client_of

CALL = FinishedCall("platform", "hk_live_x", "metadata", "GET", 200, "", 5, 7, 0.02, "mlflow-python-client/3.17.2")
NOON = datetime.datetime(2026, 11, 25, 12, 30, tzinfo=datetime.UTC)


@pytest.fixture
def tally():
    """Of an hour that does not end."""
    with time_machine.travel(NOON, tick=False):
        yield Tally()


def only(counted):
    """The one row of a mapping, its numbers by name."""
    ((kind, numbers),) = counted.items()
    return kind, dict(zip(COUNTERS, numbers, strict=True))


def test_add_sums_calls_bytes_and_seconds(tally):
    tally.add(CALL)
    tally.add(CALL._replace(seconds=0.03))
    _, numbers = only(tally.take().calls)
    assert (numbers["calls"], numbers["bytes_in"], numbers["bytes_out"]) == (2, 10, 14)
    assert numbers["seconds"] == pytest.approx(0.05)


def test_add_counts_into_the_hour_in_which_the_call_ended(tally):
    tally.add(CALL)
    kind, _ = only(tally.take().calls)
    assert kind[1:] == ("platform", "hk_live_x", "metadata", 2, "")
    assert kind.begins_at == NOON.replace(minute=0)


@pytest.mark.parametrize(
    "change",
    [{"service": "batch"}, {"key": "hk_live_y"}, {"traffic": "transfer"}, {"status": 404}, {"reason": "INTERNAL"}],
    ids=str,
)
def test_add_calls_of_another_kind_are_another_row(tally, change):
    tally.add(CALL)
    tally.add(CALL._replace(**change))
    assert len(tally.take().calls) == 2


@pytest.mark.parametrize("change", [{"method": "PUT"}, {"status": 204}, {"agent": "curl/8"}], ids=str)
def test_add_what_makes_no_row_of_its_own(tally, change):
    tally.add(CALL)
    tally.add(CALL._replace(**change))
    assert len(tally.take().calls) == 1


@pytest.mark.parametrize(
    ("seconds", "column"),
    [(0, "up_to_25_ms"), (0.025, "up_to_25_ms"), (0.0251, "up_to_50_ms"), (300, "up_to_5_min"), (9999, "over_5_min")],
)
def test_add_counts_latency_in_one_column(tally, seconds, column):
    tally.add(CALL._replace(seconds=seconds))
    _, numbers = only(tally.take().calls)
    assert [name for name in COUNTERS[4:] if numbers[name]] == [column]


@pytest.mark.parametrize("reason", ["a path/", "x" * 41, "X" * 41, "é", "KEY\nEXPIRED"])
def test_add_reason_of_another_shape_is_other(tally, reason):
    tally.add(CALL._replace(reason=reason))
    (kind,) = tally.take().calls
    assert kind.reason == "other"


def test_take_begins_anew(tally):
    tally.add(CALL)
    tally.take()
    assert tally.take() == ({}, {})


def test_put_back_adds_to_what_came_meanwhile(tally):
    tally.add(CALL)
    failed = tally.take()
    tally.add(CALL)
    tally.put_back(failed)
    counts = tally.take()
    _, numbers = only(counts.calls)
    assert (numbers["calls"], numbers["bytes_out"]) == (2, 14)
    assert list(counts.clients.values()) == [2]


def test_add_by_many_threads_loses_nothing(tally):
    def add():
        for _ in range(500):
            tally.add(CALL)

    threads = [threading.Thread(target=add) for _ in range(8)]
    for thread in threads:
        thread.start()
    taken = [tally.take() for _ in range(50)]
    for thread in threads:
        thread.join()
    taken.append(tally.take())
    assert sum(numbers[0] for counts in taken for numbers in counts.calls.values()) == 4000


def test_client_is_counted_by_key_and_day(tally):
    tally.add(CALL)
    tally.add(CALL)
    ((client, calls),) = tally.take().clients.items()
    assert client[1:] == ("platform", "hk_live_x", "mlflow-python-client", "3.17.2")
    assert (client.date, calls) == (NOON.date(), 2)


def test_client_of_a_stranger_is_not_counted(tally):
    tally.add(CALL._replace(service="", key="", reason="KEY_MISSING"))
    assert not tally.take().clients


def test_clients_of_a_key_and_day_are_bounded_over_all_flushes(tally):
    found = set()
    for number in range(100):
        tally.add(CALL._replace(agent=f"made-up/{number}"))
        found |= {(client.product, client.version) for client in tally.take().clients}
    assert len(found) == MAXIMUM_CLIENTS + 1
    assert ("other", "") in found


def test_clients_of_another_key_or_day_have_room_of_their_own(tally):
    for number in range(100):
        tally.add(CALL._replace(agent=f"made-up/{number}"))
    tally.take()
    tally.add(CALL._replace(key="hk_live_y"))
    with time_machine.travel(datetime.datetime.now(tz=datetime.UTC) + datetime.timedelta(days=1)):
        tally.add(CALL)
    assert {client.product for client in tally.take().clients} == {"mlflow-python-client"}


@pytest.mark.parametrize(
    ("agent", "client"),
    [
        ("mlflow-python-client/3.17.2", ("mlflow-python-client", "3.17.2")),
        ("python-requests/2.34.2 extra/1", ("python-requests", "2.34.2")),
        ("Mozilla/5.0 (X11; Linux)", ("Mozilla", "5.0")),
        ("curl", ("curl", "")),
        *((odd, ("other", "")) for odd in ("", " ", "/1", "a" * 41, "a/" + "1" * 21, "é/1", "a\x00b/1", "<x>/1")),
    ],
)
def test_client_of_is_product_and_version_or_other(agent, client):
    assert client_of(agent) == client


def test_client_of_a_key_is_other():
    secret = keys.mint("live").text
    assert client_of(secret) == client_of(f"{secret}/1") == ("other", "")
    assert secret[20:] not in "".join(client_of(f"x/{secret}"))


def test_kind_begins_at_its_hour():
    assert Kind(0, "", "", "", 2, "").begins_at == datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
