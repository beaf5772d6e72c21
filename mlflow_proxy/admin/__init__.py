"""The proxy's screens in Django's admin; importing the package registers them."""

from mlflow_proxy.admin import storage_health  # noqa: F401
