"""Writes from which networks each key was used, each once and none while a call waits; tells nobody.

A key that moves about is written from MAXIMUM_NETWORKS networks and no more: of such a key a new network says nothing.
"""

from collections import defaultdict
from collections.abc import Iterable

from apikeys.addresses import network_of
from apikeys.models import ApiKey, KeyNetwork

MAXIMUM_NETWORKS = 20
MAXIMUM_REMEMBERED = 50_000
# Primary key and network of what this process has written, or found written: most flushes bring nothing else.
_written: set[tuple[int, str]] = set()


def write(uses: Iterable[tuple[int, str]]) -> None:
    """Write the networks of (primary key of a key, address) that are new for the key; raises django.db.Error."""
    seen = {(pk, network_of(address)) for pk, address in uses} - _written
    if not seen:
        return
    rows = KeyNetwork.objects.filter(key__in={pk for pk, _ in seen}).values_list("key_id", "network")
    known: defaultdict[int, set[str]] = defaultdict(set)
    for pk, network in rows:
        known[pk].add(network)
    # A key that a restored backup no longer has would fail the flush of all the others.
    for pk in ApiKey.objects.filter(pk__in={pk for pk, _ in seen}).values_list("pk", flat=True):
        fresh = sorted({network for seen_pk, network in seen if seen_pk == pk} - known[pk])
        room = max(0, MAXIMUM_NETWORKS - len(known[pk]))
        chosen = (KeyNetwork(key_id=pk, network=network) for network in fresh[:room])
        # Another worker may see the same at the same time.
        KeyNetwork.objects.bulk_create(chosen, ignore_conflicts=True)
    if len(_written) > MAXIMUM_REMEMBERED:
        _written.clear()
    _written.update(seen)
