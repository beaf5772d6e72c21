"""Names the project to Django, registers its system checks and plugs the counters in; owns nothing else."""

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class HokusaiPortalConfig(AppConfig):
    name = "hokusai_portal"
    verbose_name = "Hokusai Portal"

    def ready(self) -> None:
        from apikeys import calls, usage  # noqa: PLC0415
        from hokusai_portal import checks  # noqa: F401, PLC0415  (registers on import, once apps are loaded)
        from mlflow_proxy import metrics  # noqa: PLC0415

        calls.receivers[:] = [metrics.count, usage.record_call]


class PortalAdminConfig(AdminConfig):
    """Django's admin, with the portal's site as ``django.contrib.admin.site``."""

    default_site = "apikeys.site.PortalAdminSite"
