"""System checks between settings, with stable ids; changes nothing. docs/configuration.md explains each."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register  # noqa: A004

from hokusai_portal import env


@register()
def check_database(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    engine = settings.DATABASES["default"]["ENGINE"]
    if settings.HOKUSAI_ENVIRONMENT == "production" and engine.endswith("sqlite3"):
        return [
            Error(
                "SQLite in production.",
                hint="Set DATABASE_URL to a PostgreSQL database: replicas and restarts would lose keys.",
                id="hokusai_portal.E001",
            )
        ]
    return []


@register()
def check_public_url(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    if settings.HOKUSAI_ENVIRONMENT == "production" and not settings.HOKUSAI_PUBLIC_URL.startswith("https://"):
        return [
            Error(
                "HOKUSAI_PUBLIC_URL is not https.",
                hint="Keys sent over http can be read on the way: put TLS in front and use its address.",
                id="hokusai_portal.E002",
            )
        ]
    return []


@register()
def check_legacy_names(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    return [
        Warning(
            f"{name} is set and means nothing here.",
            hint=f"Use {successor} instead." if successor else "Remove it: it configured the predecessor.",
            id="hokusai_portal.W001",
        )
        for name, successor in env.LEGACY_NAMES_SET.items()
    ]


@register(deploy=True)
def check_ui_host(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    if settings.HOKUSAI_ENVIRONMENT == "production" and not settings.HOKUSAI_UI_HOST:
        return [
            Warning(
                "MLflow's web interface shares the host of the admin.",
                hint="Set HOKUSAI_UI_HOST to a second name of this portal: script in its pages could reach the admin.",
                id="hokusai_portal.W002",
            )
        ]
    return []
