"""Names the app to Django; owns nothing else."""

from django.apps import AppConfig


class ApiKeysConfig(AppConfig):
    name = "apikeys"
    verbose_name = "Services and API keys"
    default_auto_field = "django.db.models.BigAutoField"
