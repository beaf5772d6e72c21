"""What the portal's screens of services and keys gain from knowing MLflow; importing the package registers it."""

from mlflow_proxy.admin import keys, services  # noqa: F401
