"""System checks of the proxy's settings, with stable ids; asks no network. docs/configuration.md explains each."""

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, register


@register()
def check_upstream_is_not_the_portal(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    if not settings.HOKUSAI_PUBLIC_URL:
        return []
    if urlsplit(settings.HOKUSAI_PUBLIC_URL).netloc == urlsplit(settings.MLFLOW_SERVER_URL).netloc:
        return [
            Error(
                "MLFLOW_SERVER_URL is the portal's own address.",
                hint="Point it at the MLflow server itself, on its private address: this is a loop.",
                id="mlflow_proxy.E001",
            )
        ]
    return []
