"""Names the app to Django and registers its system checks; owns nothing else."""

from django.apps import AppConfig


class MlflowProxyConfig(AppConfig):
    name = "mlflow_proxy"
    verbose_name = "MLflow proxy"

    def ready(self) -> None:
        from mlflow_proxy import checks  # noqa: F401, PLC0415  (registers on import, once apps are loaded)
