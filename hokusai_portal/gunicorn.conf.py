"""How gunicorn serves the portal: threads that stream, no control socket, no header that a stranger may forge."""

# gunicorn runs this file by its name: what it does not know as a setting it ignores.
from gunicorn.arbiter import Arbiter
from gunicorn.workers.base import Worker

from hokusai_portal import draining, env, log_config, memory

wsgi_app = "hokusai_portal.wsgi:application"
bind = f"{env.PORTAL_HOST}:{env.PORTAL_PORT}"
worker_class = "hokusai_portal.gunicorn_worker.PortalWorker"
workers = env.WEB_WORKERS
threads = env.WEB_THREADS
# Longer than a load balancer's own idle time, so that it never sends into a closing connection.
keepalive = 75
timeout = 60
# After HOKUSAI_DRAIN_SECONDS: what is under way by then has so long to end.
graceful_timeout = 60

# A chart of 100 runs in MLflow's UI needs 4.2 kB; gunicorn's default is 4,094. 8,190 is its maximum.
limit_request_line = 8190
control_socket_disable = True
forwarder_headers = ""
header_map = "refuse"
forwarded_allow_ips = ",".join(env.TRUSTED_PROXIES)

logger_class = "hokusai_portal.gunicorn_worker.PortalLogger"
logconfig_dict = log_config.dict_config(env.LOG_LEVEL)


def on_starting(server: Arbiter) -> None:
    """Refuse to start on contradictory settings, as ``manage.py check`` would say."""
    del server
    import io  # noqa: PLC0415  (a module name here would be taken for a setting)

    import django  # noqa: PLC0415  (apps load here, in the parent, only to be checked)
    from django.core.management import call_command  # noqa: PLC0415
    from django.db import connections  # noqa: PLC0415

    env.use_metrics_folder()
    env.use_settings()
    django.setup()
    call_command("check", fail_level="ERROR", verbosity=0, stdout=io.StringIO())
    # A connection opened here would be shared by all workers after the fork, and SQLite's locks with it.
    for connection in connections.all(initialized_only=True):
        connection.close()
        if hasattr(connection, "close_pool"):
            connection.close_pool()


def when_ready(server: Arbiter) -> None:
    """Forget what an earlier server has counted: the port is ours now, so it is not one that still runs."""
    if env.DRAIN_SECONDS:
        draining.linger(server, env.DRAIN_SECONDS)
    for file in env.METRICS_DIR.iterdir():
        file.unlink()


def post_fork(server: Arbiter, worker: Worker) -> None:
    """Give the worker files of its own to count into, an end to its patience with the database, and memory back."""
    del server
    from apikeys import patience  # noqa: PLC0415
    from hokusai_portal import pool  # noqa: PLC0415
    from mlflow_proxy import metrics  # noqa: PLC0415

    pool.hurry()
    patience.set_default(patience.REQUEST_SECONDS)
    memory.give_back_large_buffers()
    metrics.reserve(env.METRICS_DIR, worker.pid)


def post_worker_init(worker: Worker) -> None:
    """Load what the first caller would wait for; say in the log, once MLflow is up, whether the portal knows it."""
    import gc  # noqa: PLC0415

    from gunicorn.http.unreader import SocketUnreader  # noqa: PLC0415

    from hokusai_portal import urls  # noqa: F401, PLC0415  (half a thousand modules)
    from mlflow_proxy import bodies, conf  # noqa: PLC0415
    from mlflow_proxy.artifacts import stores  # noqa: PLC0415
    from mlflow_proxy.health import readiness  # noqa: PLC0415

    # As much as is asked for: what gunicorn reads beyond that, it copies with each piece, up to four times.
    SocketUnreader.max_body_chunk = bodies.PIECE
    if conf.is_direct():
        # boto3 takes a second to load: here, and not at the first caller's expense.
        stores.current()
    # What is loaded now stays: looking through it again and again for garbage is a twentieth of a call's time.
    gc.collect()
    gc.freeze()
    if worker.age == 1:
        readiness.verify_layout_when_up()


def worker_exit(server: Arbiter, worker: Worker) -> None:
    """Write what the worker knows of last uses before it goes."""
    del server, worker
    from apikeys import usage  # noqa: PLC0415

    usage.flush()


def child_exit(server: Arbiter, worker: Worker) -> None:
    """Keep what a worker has counted, and forget what it was doing."""
    del server
    from mlflow_proxy import metrics  # noqa: PLC0415

    metrics.forget(env.METRICS_DIR, worker.pid)
