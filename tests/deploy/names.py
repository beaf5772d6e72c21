"""What the deployment files must fit: which variables the images know, and how long a portal takes to end."""

import re

from hokusai_portal import env
from tests.docs.documents import text

LIBRARIES = re.compile(r"AWS_[A-Z0-9_]+|PG(PASSWORD|SSLMODE|SSLROOTCERT)")
PORTAL = set(env.env.dump()) | {"DJANGO_SUPERUSER_PASSWORD"}
MLFLOW = set(re.findall(r"\$\{?([A-Z][A-Z_]+)", text("deploy/mlflow/entrypoint.sh"))) | {"MLFLOW_S3_ENDPOINT_URL"}


def number(pattern, path):
    """The number that a line of a file holds."""
    return int(re.search(pattern, text(path), re.MULTILINE)[1])


TRANSFERS_SECONDS = number(r"^graceful_timeout = (\d+)", "hokusai_portal/gunicorn.conf.py")
DRAIN_SECONDS = number(r'"HOKUSAI_DRAIN_SECONDS", (\d+)\.0 if IS_PRODUCTION', "hokusai_portal/env.py")
END_SECONDS = DRAIN_SECONDS + TRANSFERS_SECONDS


def unknown(names, known):
    """The names that neither the image nor a library in it reads."""
    return sorted(name for name in names if name not in known and not LIBRARIES.fullmatch(name))
