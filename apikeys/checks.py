"""System checks of stored keys, with stable ids; changes nothing. docs/configuration.md explains each."""

from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register
from django.db import Error as DatabaseFault

from apikeys import conf, signatures
from apikeys.models import ApiKey, Webhook


@register(Tags.database)
def check_peppers(app_configs: Any, databases: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Find keys and webhooks of a pepper that is gone; run by ``manage.py check --database default`` and by migrate."""
    try:
        used = _peppers_in_use() if databases else set()
    except DatabaseFault:
        # Before the first migration there is no table, and no key.
        return []
    return [
        Error(
            f"Usable keys or webhooks need pepper {number}, which HOKUSAI_KEY_PEPPERS does not carry.",
            hint="Put it back, or revoke and reissue its keys, and replace the secrets of its webhooks.",
            id="apikeys.E001",
        )
        for number in sorted(used - set(conf.peppers()))
    ]


def _peppers_in_use() -> set[int]:
    seeds = Webhook.objects.filter(disabled_at=None).values_list("seed", flat=True)
    return {*ApiKey.objects.usable().values_list("pepper_number", flat=True), *map(signatures.pepper_of, seeds)}
