"""Names the app to Django and registers its system checks; owns nothing else."""

from django.apps import AppConfig


class ApiKeysConfig(AppConfig):
    name = "apikeys"
    verbose_name = "Services and API keys"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from apikeys import checks  # noqa: F401, PLC0415  (registers on import, once apps are loaded)
