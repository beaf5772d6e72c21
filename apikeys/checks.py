"""System checks of stored keys, with stable ids; changes nothing. docs/configuration.md explains each."""

from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register
from django.db import Error as DatabaseFault

from apikeys import conf
from apikeys.models import ApiKey


@register(Tags.database)
def check_peppers(app_configs: Any, databases: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Find keys of a pepper that is gone; run by ``manage.py check --database default`` and by migrate."""
    try:
        used = set(ApiKey.objects.usable().values_list("pepper_number", flat=True)) if databases else set()
    except DatabaseFault:
        # Before the first migration there is no table, and no key.
        return []
    return [
        Error(
            f"Usable keys were made with pepper {number}, which HOKUSAI_KEY_PEPPERS does not carry.",
            hint="Put it back, or revoke and reissue its keys.",
            id="apikeys.E001",
        )
        for number in sorted(used - set(conf.peppers()))
    ]
