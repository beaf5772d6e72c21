"""Which environment variables the images know: the portal's, MLflow's, and those of the libraries inside."""

import re

from hokusai_portal import env
from tests.docs.documents import text

LIBRARIES = re.compile(r"AWS_[A-Z0-9_]+|PG(PASSWORD|SSLMODE|SSLROOTCERT)")
PORTAL = set(env.env.dump()) | {"DJANGO_SUPERUSER_PASSWORD"}
MLFLOW = set(re.findall(r"\$\{?([A-Z][A-Z_]+)", text("deploy/mlflow/entrypoint.sh"))) | {"MLFLOW_S3_ENDPOINT_URL"}


def unknown(names, known):
    """The names that neither the image nor a library in it reads."""
    return sorted(name for name in names if name not in known and not LIBRARIES.fullmatch(name))
