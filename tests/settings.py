"""The settings of the suite: those of the portal, in an environment that belongs to nobody."""

import os
import tempfile

_throwaway = tempfile.mkdtemp(prefix="hokusai-tests-")
for _name in [
    name for name in os.environ if name.startswith(("HOKUSAI_", "MLFLOW_", "DJANGO_SUPERUSER", "AWS_", "PORTAL_"))
]:
    del os.environ[_name]
os.environ |= {
    "HOKUSAI_ENVIRONMENT": "test",
    "HOKUSAI_DATA_DIR": _throwaway,
    "HOKUSAI_CORS_ORIGINS": "https://app.example.org",
    "HOKUSAI_TRUSTED_PROXIES": "10.0.0.0/8",
    "DATABASE_URL": os.environ.get("TEST_DATABASE_URL", f"sqlite:///{_throwaway}/portal.sqlite3"),
}

from hokusai_portal.settings import *  # noqa: E402, F403

# A manifest needs collectstatic first; the suite renders pages without it.
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}  # noqa: F405
