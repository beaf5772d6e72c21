"""Tells when a key is used from a network that it was not used from before; an audit event and a mail, once for each.

The first network of a key is where it belongs, and no news.
"""

from collections.abc import Sequence
from itertools import groupby

import structlog
from django.db.models import Exists, OuterRef

from apikeys import actions, contacts
from apikeys.models import ApiKey, KeyNetwork
from apikeys.sightings import MAXIMUM_NETWORKS

log = structlog.get_logger(__name__)


def send_due(actor: actions.Actor) -> dict[str, int]:
    """Tell of every new network, one mail for a key; return how many were noticed, mailed and left for later."""
    counts = {"noticed": 0, "mailed": 0, "unsent": 0}
    for key, found in groupby(due(), lambda row: row.key):
        rows = list(found)
        try:
            is_mailed = contacts.mail(key.service, subject_of(key), lines_of(key, rows))
        except OSError as error:
            # The next round tries again.
            log.warning("network_notice_unsent", api_key=key.public_id, error=type(error).__name__)
            counts["unsent"] += len(rows)
            continue
        actions.record_network_notices(networks=rows, is_mailed=is_mailed, actor=actor)
        counts["noticed"] += len(rows)
        counts["mailed"] += is_mailed
    return counts


def due() -> Sequence[KeyNetwork]:
    """Return the networks that nobody was told of, by key; a key's first one is none of them."""
    earlier = KeyNetwork.objects.filter(key=OuterRef("key"), pk__lt=OuterRef("pk"))
    untold = KeyNetwork.objects.filter(Exists(earlier), noticed_at__isnull=True)
    return list(untold.select_related("key__service").order_by("key", "pk"))


def subject_of(key: ApiKey) -> str:
    return f"API key {key} of {key.service} is used from a new network"


def lines_of(key: ApiKey, rows: Sequence[KeyNetwork]) -> tuple[str, ...]:
    networks = list(key.networks.order_by("pk"))
    is_last = len(networks) >= MAXIMUM_NETWORKS
    return (
        f"The API key {key} ({key.name}) of service {key.service} was used from where it was not used before:",
        "",
        *(f"  {row.network} since {row.first_seen_at:%Y-%m-%d %H:%M} UTC" for row in rows),
        "",
        f"It was first used from {networks[0].network}.",
        "",
        "If that is right, there is nothing to do. If not, revoke the key first, and issue another one afterwards:",
        "",
        f"  manage.py revoke_key {key} --reason leaked",
        "",
        "A key that is issued for certain networks is refused everywhere else.",
        *((f"It has been used from {len(networks)} networks: of more you are not told.",) if is_last else ()),
    )
