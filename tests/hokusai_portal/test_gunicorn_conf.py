"""gunicorn's configuration: every name is one that gunicorn knows, and the doors a stranger could use are shut."""

import gc
import os
import runpy
from types import SimpleNamespace

import pytest
from django.db import connections
from gunicorn.config import KNOWN_SETTINGS, Config
from gunicorn.http.unreader import SocketUnreader

from apikeys import usage
from apikeys.models import ApiKey
from hokusai_portal import env, memory
from hokusai_portal.gunicorn_worker import PortalLogger
from mlflow_proxy import bodies, metrics

PATH = env.BASE_DIR / "hokusai_portal" / "gunicorn.conf.py"
IMPORTED = {"Arbiter", "Worker", "draining", "env", "log_config", "memory"}


@pytest.fixture(autouse=True)
def _own_metrics_folder(monkeypatch, tmp_path):
    """The hooks name a folder to the library of metrics, for the rest of the process."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "")
    monkeypatch.setattr(env, "METRICS_DIR", tmp_path / "metrics")
    monkeypatch.setattr(metrics, "_folder", None)


@pytest.fixture(autouse=True)
def told(monkeypatch):
    """What the allocator of a worker is told: not of this process, which it would be for good."""
    calls = []
    monkeypatch.setattr(memory, "give_back_large_buffers", lambda: calls.append("give back"))
    return calls


@pytest.fixture
def names():
    return {name: value for name, value in runpy.run_path(str(PATH)).items() if not name.startswith("__")}


@pytest.fixture
def config(names):
    config = Config()
    for name in names.keys() - IMPORTED:
        config.set(name, names[name])
    return config


def test_gunicorn_every_name_is_a_setting(names):
    assert names.keys() - IMPORTED <= {setting.name for setting in KNOWN_SETTINGS}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("worker_class_str", "hokusai_portal.gunicorn_worker.PortalWorker"),
        ("control_socket_disable", True),
        ("forwarder_headers", []),
        ("header_map", "refuse"),
        ("limit_request_line", 8190),
        ("logger_class", PortalLogger),
        ("wsgi_app", "hokusai_portal.wsgi:application"),
    ],
)
def test_gunicorn_setting_is_as_meant(config, name, value):
    assert getattr(config, name) == value


def test_gunicorn_gathers_nothing_of_a_request():
    # A logger that was never set up could not gather a thing.
    PortalLogger.__new__(PortalLogger).access(None, None, {}, None)


def test_gunicorn_listens_where_the_environment_says(config):
    assert config.bind == [f"{env.PORTAL_HOST}:{env.PORTAL_PORT}"]


def test_gunicorn_believes_the_trusted_proxies_alone(config):
    assert [str(network) for network in config.forwarded_allow_networks()] == env.TRUSTED_PROXIES


def test_gunicorn_start_refuses_contradictory_settings(names, settings, db):
    settings.HOKUSAI_PUBLIC_URL = settings.MLFLOW_SERVER_URL
    with pytest.raises(BaseException, match=r"mlflow_proxy\.E001"):
        names["on_starting"](None)


def test_gunicorn_start_with_good_settings_goes_on(names, db):
    assert names["on_starting"](None) is None


def test_gunicorn_worker_that_leaves_writes_last_uses(names, reader):
    usage.record(reader.row.pk, None, "last")
    names["worker_exit"](None, SimpleNamespace())
    assert ApiKey.objects.get().last_used_agent == "last"


@pytest.fixture
def earlier():
    """A file of a server that has counted, or counts still."""
    env.METRICS_DIR.mkdir()
    (env.METRICS_DIR / "counter_1.db").write_bytes(b"counted")
    return env.METRICS_DIR / "counter_1.db"


def test_gunicorn_start_names_the_folder_of_counters(names, db):
    names["on_starting"](None)
    assert os.environ["PROMETHEUS_MULTIPROC_DIR"] == str(env.METRICS_DIR)
    assert env.METRICS_DIR.is_dir()


def test_gunicorn_start_on_a_port_that_is_taken_leaves_the_other_s_counters(names, db, earlier):
    names["on_starting"](None)
    assert earlier.exists()


def test_gunicorn_that_has_its_port_forgets_what_an_earlier_one_counted(names, earlier):
    names["when_ready"](None)
    assert list(env.METRICS_DIR.iterdir()) == []


def test_gunicorn_start_in_a_folder_that_is_not_writable_says_so(names, db):
    env.METRICS_DIR.parent.joinpath("metrics").write_text("a file where a folder is needed")
    with pytest.raises(env.UnusableEnvironmentError, match="HOKUSAI_DATA_DIR: is not writable"):
        names["on_starting"](None)


def test_gunicorn_worker_counts_into_files_of_its_own(names, told):
    env.METRICS_DIR.mkdir()
    names["post_fork"](None, SimpleNamespace(pid=7))
    assert {"counter_7.db", "histogram_7.db"} < {path.name for path in env.METRICS_DIR.iterdir()}
    assert told == ["give back"]


def test_gunicorn_worker_waits_for_a_connection_no_longer_than_a_call_may(names, told, monkeypatch):
    pool = {"max_size": 8, "timeout": 10.0, "reconnect_timeout": 10.0}
    monkeypatch.setitem(connections["default"].settings_dict["OPTIONS"], "pool", pool)
    env.METRICS_DIR.mkdir()
    names["post_fork"](None, SimpleNamespace(pid=7))
    assert pool == {"max_size": 8, "timeout": 0.9, "reconnect_timeout": 3.0}


def test_gunicorn_worker_reads_a_body_in_pieces_of_the_portal_s_size(names, monkeypatch):
    monkeypatch.setattr(SocketUnreader, "max_body_chunk", SocketUnreader.max_body_chunk)
    monkeypatch.setattr(gc, "freeze", lambda: None)
    names["post_worker_init"](SimpleNamespace(age=2))
    assert SocketUnreader.max_body_chunk == bodies.PIECE


def test_gunicorn_worker_that_ended_leaves_what_it_counted(names):
    env.METRICS_DIR.mkdir()
    for name in ("counter_7.db", "histogram_7.db", "gauge_livesum_7.db"):
        (env.METRICS_DIR / name).touch()
    names["child_exit"](None, SimpleNamespace(pid=7))
    assert {path.name for path in env.METRICS_DIR.iterdir()} == {"counter_7.db", "histogram_7.db"}
