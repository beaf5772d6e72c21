"""Waits for MLflow's database, or migrates it, for the entrypoint; never prints its address, which may hold a password.

database.py wait SECONDS     ends with 0 once it answers, with 69 when it has not
database.py upgrade          migrates the tables of an older MLflow; take a backup first
"""

import os
import sys
import time

import sqlalchemy

UNAVAILABLE = 69  # EX_UNAVAILABLE: a restart may help
CONNECT_SECONDS = 5
PAUSE_SECONDS = 1.0
URI = os.environ["MLFLOW_BACKEND_STORE_URI"]


def wait(seconds: float) -> int:
    """Return 0 once a connection was opened, and UNAVAILABLE when none was within ``seconds``."""
    # libpq's own name for it, so that an address of ours stays as it was given.
    os.environ.setdefault("PGCONNECT_TIMEOUT", str(CONNECT_SECONDS))
    engine = sqlalchemy.create_engine(URI, poolclass=sqlalchemy.pool.NullPool)
    deadline = time.monotonic() + seconds
    is_told = False
    while True:
        try:
            engine.connect().close()
        except sqlalchemy.exc.OperationalError as error:
            if time.monotonic() > deadline:
                say(f"the database did not answer for {seconds:g} s ({reason(error)}). Is BACKEND_STORE_URI right?")
                return UNAVAILABLE
            if not is_told:
                say(f"waiting up to {seconds:g} s for the database ({reason(error)}) …")
                is_told = True
            time.sleep(PAUSE_SECONDS)
        else:
            return 0


def reason(error: sqlalchemy.exc.OperationalError) -> str:
    """Return the driver's own last line; it names host, port and user, and no password."""
    return (str(error.orig).strip().splitlines() or [type(error.orig).__name__])[-1].strip()


def upgrade() -> int:
    """Do what ``mlflow db upgrade`` does, which takes the address as an argument only, for everybody to read."""
    import mlflow.cli

    mlflow.cli.cli(["db", "upgrade", URI])
    return 0


def say(text: str) -> None:
    print(f"mlflow entrypoint: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(wait(float(sys.argv[2])) if sys.argv[1] == "wait" else upgrade())
