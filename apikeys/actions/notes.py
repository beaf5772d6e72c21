"""Notes in the audit trail what keys were given and what was told of them; changes no key."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.db import transaction

from apikeys import trail
from apikeys.models import ApiKey, KeyNetwork, database_now
from apikeys.trail import Actor

EXPIRY_NOTICED = "api_key_expiry_noticed"
NETWORK_NOTICED = "api_key_seen_from_new_network"


@transaction.atomic
def record_presigned_urls(*, key: ApiKey, facts: Mapping[str, object], actor: Actor) -> None:
    """Note that a key is given signed addresses of the artifact store: which object, method and how long."""
    record_of_key("presigned_urls_issued", key, actor, after=facts)


@transaction.atomic
def record_expiry_notice(*, key: ApiKey, days: int, is_mailed: bool, actor: Actor) -> None:
    """Note that a key's end within so many days was told, and whether somebody was mailed."""
    facts = {"days": days, "expires_at": key.expires_at, "is_mailed": is_mailed}
    record_of_key(EXPIRY_NOTICED, key, actor, after=facts)


@transaction.atomic
def record_network_notices(*, networks: Iterable[KeyNetwork], is_mailed: bool, actor: Actor) -> None:
    """Note that the first use of keys from these networks was told, and whether somebody was mailed."""
    for row in networks:
        row.noticed_at = database_now()
        row.save(update_fields=["noticed_at"])
        facts = {"network": row.network, "first_seen_at": row.first_seen_at, "is_mailed": is_mailed}
        record_of_key(NETWORK_NOTICED, row.key, actor, after=facts)


def record_of_key(action: str, key: ApiKey, actor: Actor, **facts: Any) -> None:
    """Write an event of a key, in the transaction of what it tells of."""
    trail.record(action, actor, object_id=key.public_id, service_id=key.service.service_id, **facts)
