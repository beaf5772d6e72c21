"""The ways news of health goes out: mail, the webhook of the environment, and those of the admin.

Decides neither when nor what. How a webhook is signed and posted is apikeys.signatures' and apikeys.posts'.
"""

import json
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple
from uuid import uuid4

from django.core.mail import EmailMessage
from django.db import transaction

from apikeys import destinations, outbox, posts, signatures
from apikeys.deliveries import STORAGE_CHANGED
from apikeys.posts import UndeliveredError
from mlflow_proxy import conf
from mlflow_proxy.health.answers import Probe
from mlflow_proxy.health.guide import GUIDES

Kind = Literal["worse", "better", "well", "reminder"]
PATH = "/admin/storage-health/"
OPENINGS: dict[Kind, str] = {
    "worse": "Something has begun to fail.",
    "better": "Some of it works again.",
    "well": "All of it works again.",
    "reminder": "This has been failing for more than a day.",
}


@dataclass(frozen=True, slots=True)
class News:
    """What is to be told: the light and its sentence, what fails with its cure, and what has recovered."""

    kind: Kind
    at: datetime
    light: str
    sentence: str
    failures: Sequence[Probe]
    recovered: Sequence[str]


class Channel(NamedTuple):
    """A way out by name; ``send`` raises UndeliveredError.

    ``together`` holds the sending and the memory of it: a queue in the database has both or neither.
    """

    name: str
    send: Callable[[News], None]
    together: Callable[[], AbstractContextManager[Any]] = nullcontext


def configured() -> list[Channel]:
    """Return the channels that the settings name, and the webhooks of the admin where one asks for such news."""
    channels = {
        Channel("mail", send_mail): bool(conf.alert_emails()),
        Channel("webhook", post): bool(conf.alert_webhook_url()),
        Channel("webhooks", queue, transaction.atomic): outbox.has_listeners(STORAGE_CHANGED),
    }
    return [channel for channel, is_on in channels.items() if is_on]


def send_mail(news: News) -> None:
    subject = f"[Hokusai Portal] {news.light}: {news.sentence}"
    message = EmailMessage(subject[:180], body_of(news), to=conf.alert_emails())
    try:
        message.send()
    except OSError as error:
        # smtplib's errors are OSErrors; their text may repeat what the server said, but no password.
        raise UndeliveredError(type(error).__name__) from None


def body_of(news: News) -> str:
    """Return a mail's text."""
    lines = [OPENINGS[news.kind], "", news.sentence, ""]
    for probe in news.failures:
        lines += [f"- {GUIDES[probe.name].failure} ({probe.name}, {probe.reason})"]
        lines += [f"    {text}" for text in (probe.detail, probe.hint) if text]
    if news.recovered:
        lines += ["", f"Works again: {', '.join(news.recovered)}."]
    return "\n".join([*lines, "", f"{conf.public_url()}{PATH}", f"Checked at {news.at:%Y-%m-%d %H:%M} UTC."])


def post(news: News) -> None:
    """Send the news to the webhook of the environment; it may lead anywhere, because the operator says so."""
    body = json.dumps(message_of(news)).encode()
    secret = signatures.as_bytes(conf.alert_webhook_secret())
    signed = signatures.headers([secret], f"msg_{uuid4().hex}", int(time.time()), body)
    try:
        posts.send(destinations.resolve(conf.alert_webhook_url(), destinations.ANYWHERE), body, signed)
    except destinations.RefusedDestinationError as error:
        raise UndeliveredError(str(error)) from None


def queue(news: News) -> None:
    """Leave the news in the outbox, for the webhooks of the admin that ask for it."""
    outbox.enqueue(STORAGE_CHANGED, facts_of(news), news.at)


def message_of(news: News) -> dict[str, object]:
    """Return the JSON that every webhook is sent."""
    return {"type": STORAGE_CHANGED, "timestamp": news.at.isoformat(), "data": facts_of(news)}


def facts_of(news: News) -> dict[str, object]:
    """Return the news as data: ``failures`` as on the page."""
    return {
        "kind": news.kind,
        "light": news.light,
        "sentence": news.sentence,
        "failures": [asdict(probe) for probe in news.failures],
        "recovered": list(news.recovered),
        "url": f"{conf.public_url()}{PATH}",
    }
