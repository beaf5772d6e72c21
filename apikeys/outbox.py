"""What is still to be sent to webhooks: filled from the audit trail, emptied by posting; changes no webhook's rules.

Beside ``apikeys.webhooks.queue_test`` this is the only writer of deliveries, and of a webhook's cursor. A message is
a row before it is sent, so it survives whatever becomes of the process. One whose answer was not written down is sent
again, under the same id: at least once, never not at all.
"""

import datetime
import json
import time
from collections import Counter
from collections.abc import Mapping

import structlog
from django.db import transaction
from django.db.models import F, Max

from apikeys import conf, destinations, messages, posts, signatures
from apikeys.deliveries import Delivery, Webhook
from apikeys.keys import UnknownPepperError
from apikeys.models import AuditEvent, database_now

log = structlog.get_logger(__name__)

# After the first try, and after each that follows; then it is given up, some 18 hours after the event.
BACK_OFF = tuple(datetime.timedelta(seconds=seconds) for seconds in (10, 60, 300, 1800, 7200, 18000, 36000))
# Longer than a try takes: whoever has begun one and died leaves it to another after this.
CLAIM = datetime.timedelta(seconds=60)
# Numbers are given when a row is written and rows are seen when their transaction ends, so a smaller number may come
# later. No transaction of the portal takes this long.
STRAGGLERS = datetime.timedelta(minutes=10)
EVENTS_AT_A_TIME = 200
# To one webhook in a round: however slow it is, the others have their turn.
MESSAGES_AT_A_TIME = 20
KEPT = datetime.timedelta(days=30)


def run() -> dict[str, int]:
    """Queue what happened, send what is due; return how many were queued, delivered, and not delivered."""
    queued = sum(_fill(webhook) for webhook in Webhook.objects.filter(disabled_at=None))
    counts = Counter(queued=queued)
    for webhook in Webhook.objects.filter(deliveries__in=Delivery.objects.due()).distinct():
        counts.update(_empty(webhook))
    return {word: count for word, count in counts.items() if count}


def enqueue(kind: str, data: Mapping[str, object], at: datetime.datetime) -> int:
    """Queue a message that stems from no event of the trail, for every webhook that asks for its type."""
    document = {"type": kind, "timestamp": at.isoformat(), "data": dict(data)}
    listening = [webhook for webhook in Webhook.objects.filter(disabled_at=None) if kind in webhook.types]
    Delivery.objects.bulk_create(Delivery(webhook=webhook, type=kind, document=document) for webhook in listening)
    return len(listening)


def has_listeners(kind: str) -> bool:
    """Return whether some webhook asks for a type."""
    return any(kind in types for types in Webhook.objects.filter(disabled_at=None).values_list("types", flat=True))


def prune() -> int:
    """Forget messages of more than 30 days ago; return how many."""
    count, _ = Delivery.objects.filter(created_at__lt=database_now() - KEPT).delete()
    return count


def attempt(delivery: Delivery) -> bool:
    """Send a message unless somebody else does right now; return whether it was not refused."""
    now = database_now()
    # Conditions of this row alone: on these, PostgreSQL looks again after waiting for whoever claims it meanwhile.
    free = Delivery.objects.filter(pk=delivery.pk, status="pending", next_try_at__lte=now)
    if not free.update(next_try_at=now + CLAIM, tried_at=now, attempts=F("attempts") + 1):
        return True
    delivery.refresh_from_db()
    try:
        delivery.answer_status, delivery.fault = _send(delivery), ""
    except posts.UndeliveredError as error:
        delivery.answer_status, delivery.fault = error.status, str(error)[:200]
    except destinations.RefusedDestinationError as error:
        delivery.answer_status, delivery.fault = None, str(error)[:200]
    except UnknownPepperError as error:
        delivery.answer_status, delivery.fault = None, f"secret unknown: {error}"
    _note(delivery)
    return delivery.status == "delivered"


@transaction.atomic
def _fill(webhook: Webhook) -> int:
    """Queue the events that a webhook has not had; return how many."""
    webhook = Webhook.objects.select_for_update().get(pk=webhook.pk)
    newer = AuditEvent.objects.filter(pk__gt=webhook.cursor)
    had = Delivery.objects.filter(webhook=webhook, event_number__gt=webhook.cursor).values("event_number")
    events = list(newer.filter(messages.wanted(webhook.types)).exclude(pk__in=had).order_by("pk")[:EVENTS_AT_A_TIME])
    Delivery.objects.bulk_create(
        Delivery(webhook=webhook, type=document["type"], document=document, event_number=event.pk)
        for event in events
        for document in [messages.of_event(event, webhook.types)]
    )
    settled = newer.filter(at__lt=database_now() - STRAGGLERS).aggregate(newest=Max("pk"))["newest"]
    if settled and len(events) == EVENTS_AT_A_TIME:
        settled = min(settled, events[-1].pk)
    if settled:
        webhook.cursor = settled
        webhook.save(update_fields=["cursor"])
    return len(events)


def _empty(webhook: Webhook) -> Counter[str]:
    """Send what is due to one webhook, until it refuses one: the others wait for the next round."""
    counts: Counter[str] = Counter()
    due = Delivery.objects.due().filter(webhook=webhook)
    for _ in range(MESSAGES_AT_A_TIME):
        # Asked anew each time: whoever disables a webhook means from now on.
        delivery = due.first()
        if delivery is None:
            break
        if not attempt(delivery):
            counts["undelivered"] += 1
            break
        counts["delivered"] += 1
    return counts


def _send(delivery: Delivery) -> int:
    webhook, body = delivery.webhook, json.dumps(delivery.document).encode()
    destination = destinations.resolve(webhook.url, conf.webhook_networks())
    signed = signatures.headers(secrets_of(webhook), str(delivery), int(time.time()), body)
    return posts.send(destination, body, signed)


def secrets_of(webhook: Webhook) -> list[bytes]:
    """Return what a message is signed with now; raises UnknownPepperError."""
    peppers = conf.peppers()
    secrets = [signatures.secret_of(webhook.seed, peppers)]
    is_old_good = webhook.old_seed_until is not None and webhook.old_seed_until > database_now()
    if is_old_good and signatures.pepper_of(webhook.old_seed) in peppers:
        secrets.append(signatures.secret_of(webhook.old_seed, peppers))
    return secrets


def _note(delivery: Delivery) -> None:
    """Write down how a try ended, and when the next one is."""
    facts = {"webhook": delivery.webhook.webhook_id, "message": str(delivery), "attempts": delivery.attempts}
    if not delivery.fault:
        delivery.status, delivery.next_try_at = "delivered", None
    elif delivery.attempts > len(BACK_OFF):
        delivery.status, delivery.next_try_at = "given up", None
        log.error("webhook_given_up", error=delivery.fault, **facts)
    else:
        delivery.next_try_at = database_now() + BACK_OFF[delivery.attempts - 1]
        log.warning("webhook_undelivered", error=delivery.fault, **facts)
    delivery.save(update_fields=["status", "next_try_at", "answer_status", "fault"])
