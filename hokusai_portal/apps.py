"""Names the project to Django and registers its system checks; owns nothing else."""

from django.apps import AppConfig


class HokusaiPortalConfig(AppConfig):
    name = "hokusai_portal"
    verbose_name = "Hokusai Portal"

    def ready(self) -> None:
        from hokusai_portal import checks  # noqa: F401, PLC0415  (registers on import, once apps are loaded)
