"""What the portal's screens gain from knowing MLflow and its store; importing the package registers it."""

from mlflow_proxy.admin import keys, services, storage_health  # noqa: F401
