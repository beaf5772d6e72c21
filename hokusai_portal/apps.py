"""Names the project to Django and registers its system checks; owns nothing else."""

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class HokusaiPortalConfig(AppConfig):
    name = "hokusai_portal"
    verbose_name = "Hokusai Portal"

    def ready(self) -> None:
        from hokusai_portal import checks  # noqa: F401, PLC0415  (registers on import, once apps are loaded)


class PortalAdminConfig(AdminConfig):
    """Django's admin, with the portal's site as ``django.contrib.admin.site``."""

    default_site = "apikeys.site.PortalAdminSite"
