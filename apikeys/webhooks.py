"""The only writers of webhooks: each writes its audit event in the same transaction; sends nothing.

A webhook's secret is derived when it is needed, and leaves as the return value of ``create`` and ``replace_secret``
alone. The trail keeps where a webhook leads without path and query, which are often a credential.
"""

import datetime
from collections.abc import Iterable
from dataclasses import dataclass, field

from django.db import transaction
from django.db.models import Max

from apikeys import conf, destinations, rules, signatures, trail
from apikeys.deliveries import TEST, TYPES, Delivery, Webhook
from apikeys.models import AuditEvent, database_now
from apikeys.trail import Actor

OVERLAP = datetime.timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class SignedWebhook:
    """A webhook and its secret as text, which is out of repr."""

    row: Webhook
    secret: str = field(repr=False)


def create_webhook(*, webhook_id: str, url: str, types: Iterable[str], actor: Actor) -> SignedWebhook:
    """Register where messages go, from the next event on, and return it with its secret.

    Raises ActionRefusedError for an unknown type, none, or a URL that may not be; ValidationError for a bad or taken
    id.
    """
    chosen = _types(types)
    # Outside of the transaction: a name server may take its time.
    _refuse_destination(url)
    with transaction.atomic():
        webhook = Webhook(webhook_id=webhook_id, url=url, types=chosen, created_by=actor.name, cursor=_newest_event())
        webhook.seed = signatures.new_seed(conf.peppers())
        webhook.full_clean(exclude=["url"])
        webhook.save()
        _record_of_webhook(
            "webhook_created", webhook, actor, after={"origin": destinations.origin_of(url), "types": chosen}
        )
    return _with_secret(webhook)


@transaction.atomic
def replace_secret(*, webhook: Webhook, actor: Actor) -> SignedWebhook:
    """Give a webhook a new secret and return it; the old one signs as well for OVERLAP, so that nothing is refused."""
    webhook = _locked(webhook)
    now = database_now()
    webhook.old_seed, webhook.old_seed_until = webhook.seed, now + OVERLAP
    webhook.seed = signatures.new_seed(conf.peppers())
    webhook.save(update_fields=["seed", "old_seed", "old_seed_until"])
    _record_of_webhook("webhook_secret_replaced", webhook, actor, after={"old_secret_until": webhook.old_seed_until})
    return _with_secret(webhook)


@transaction.atomic
def disable_webhook(*, webhook: Webhook, reason: str, actor: Actor) -> Webhook:
    """Send nothing more to a webhook; what is queued waits, and what happens meanwhile is not queued."""
    webhook = _locked(webhook)
    if webhook.is_disabled:
        raise rules.ActionRefusedError(f"webhook {webhook} is already disabled: {webhook.disabled_reason}")
    webhook.disabled_at, webhook.disabled_reason = database_now(), rules.reason(reason)
    webhook.save(update_fields=["disabled_at", "disabled_reason"])
    _record_of_webhook("webhook_disabled", webhook, actor, reason=reason)
    return webhook


@transaction.atomic
def enable_webhook(*, webhook: Webhook, reason: str = "", actor: Actor) -> Webhook:
    """Send again: what was queued before, and what happens from now on."""
    webhook = _locked(webhook)
    if not webhook.is_disabled:
        raise rules.ActionRefusedError(f"webhook {webhook} is not disabled")
    rules.refuse_secret(reason)
    webhook.disabled_at, webhook.disabled_reason, webhook.cursor = None, "", _newest_event()
    webhook.save(update_fields=["disabled_at", "disabled_reason", "cursor"])
    _record_of_webhook("webhook_enabled", webhook, actor, reason=reason)
    return webhook


@transaction.atomic
def queue_test(*, webhook: Webhook, actor: Actor) -> Delivery:
    """Queue a message that means nothing, and return it; raises ActionRefusedError where the webhook is disabled."""
    webhook = _locked(webhook)
    if webhook.is_disabled:
        raise rules.ActionRefusedError(f"webhook {webhook} is disabled: enable it first")
    document = {"type": TEST, "timestamp": database_now().isoformat(), "data": {"actor": actor.name}}
    delivery = Delivery.objects.create(webhook=webhook, type=TEST, document=document)
    _record_of_webhook("webhook_tested", webhook, actor, after={"message": str(delivery)})
    return delivery


def _types(words: Iterable[str]) -> list[str]:
    chosen = list(dict.fromkeys(words))
    if unknown := [word for word in chosen if word not in TYPES]:
        raise rules.ActionRefusedError(f"{unknown[0]!r} is no type of message: use {', '.join(TYPES)}")
    if not chosen:
        raise rules.ActionRefusedError("choose at least one type of message")
    return chosen


def _refuse_destination(url: str) -> None:
    try:
        destinations.resolve(url, conf.webhook_networks())
    except destinations.RefusedDestinationError as error:
        raise rules.ActionRefusedError(str(error)) from None
    rules.refuse_secret(url)


def _newest_event() -> int:
    return AuditEvent.objects.aggregate(newest=Max("pk"))["newest"] or 0


def _locked(webhook: Webhook) -> Webhook:
    return Webhook.objects.select_for_update().get(pk=webhook.pk)


def _with_secret(webhook: Webhook) -> SignedWebhook:
    return SignedWebhook(webhook, signatures.as_text(signatures.secret_of(webhook.seed, conf.peppers())))


def _record_of_webhook(
    action: str, webhook: Webhook, actor: Actor, *, after: dict[str, object] | None = None, reason: str = ""
) -> None:
    trail.record(action, actor, object_id=webhook.webhook_id, after=after, reason=reason)
