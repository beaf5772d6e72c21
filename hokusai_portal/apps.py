"""Names the project to Django, registers its system checks and plugs the counters in; owns nothing else."""

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig
from django.core import signals
from django.db import close_old_connections, reset_queries


class HokusaiPortalConfig(AppConfig):
    name = "hokusai_portal"
    verbose_name = "Hokusai Portal"

    def ready(self) -> None:
        from apikeys import calls, usage  # noqa: PLC0415
        from hokusai_portal import checks  # noqa: F401, PLC0415  (registers on import, once apps are loaded)
        from mlflow_proxy import metrics  # noqa: PLC0415

        # Each request does it at its end; at its beginning there is nothing to let go.
        signals.request_started.disconnect(reset_queries)
        signals.request_started.disconnect(close_old_connections)
        calls.receivers[:] = [metrics.count, usage.record_call]


class PortalAdminConfig(AdminConfig):
    """Django's admin, with the portal's site as ``django.contrib.admin.site``."""

    default_site = "apikeys.site.PortalAdminSite"
