"""The two ways news of health goes out, mail and a signed webhook; decides neither when nor what.

The webhook's body is signed with HMAC-SHA-256 over ``<timestamp>.<body>``. No redirect is followed, nothing of the
environment (proxies, netrc) is used, and the answer's body is not read.
"""

import hashlib
import hmac
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Literal, NamedTuple

import requests
from django.core.mail import EmailMessage

from mlflow_proxy import conf
from mlflow_proxy.health.answers import Probe
from mlflow_proxy.health.guide import GUIDES

Kind = Literal["worse", "better", "well", "reminder"]
SECONDS = (3.05, 5.0)
PATH = "/admin/storage-health/"
OPENINGS: dict[Kind, str] = {
    "worse": "Something has begun to fail.",
    "better": "Some of it works again.",
    "well": "All of it works again.",
    "reminder": "This has been failing for more than a day.",
}


class UndeliveredError(Exception):
    """A channel did not take the news; the message names no secret."""


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
    """A way out by name; ``send`` raises UndeliveredError."""

    name: str
    send: Callable[[News], None]


def configured() -> list[Channel]:
    """Return the channels that the settings name."""
    mail = [Channel("mail", send_mail)] if conf.alert_emails() else []
    return [*mail, *([Channel("webhook", post)] if conf.alert_webhook_url() else [])]


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
    body = json.dumps(document_of(news)).encode()
    session = requests.Session()
    session.trust_env = False
    try:
        with session.post(
            conf.alert_webhook_url(),
            data=body,
            headers=signed_headers(body, int(time.time())),
            timeout=SECONDS,
            allow_redirects=False,
            stream=True,
            verify=conf.authorities(),
        ) as reply:
            if not 200 <= reply.status_code < 300:
                raise UndeliveredError(f"status {reply.status_code}")
    except requests.RequestException as error:
        raise UndeliveredError(type(error).__name__) from None
    finally:
        session.close()


def document_of(news: News) -> dict[str, object]:
    """Return a webhook's JSON: ``failures`` as on the page, ``event`` the kind of news."""
    return {
        "event": f"storage_health.{news.kind}",
        "at": news.at.isoformat(),
        "light": news.light,
        "sentence": news.sentence,
        "failures": [asdict(probe) for probe in news.failures],
        "recovered": list(news.recovered),
        "url": f"{conf.public_url()}{PATH}",
    }


def signed_headers(body: bytes, timestamp: int) -> dict[str, str]:
    """Return the headers by which a receiver knows that the body is ours, and not one of yesterday."""
    secret = conf.alert_webhook_secret().encode()
    signature = hmac.new(secret, f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    return {
        "Content-Type": "application/json",
        "User-Agent": "hokusai-portal",
        "X-Hokusai-Timestamp": str(timestamp),
        "X-Hokusai-Signature": f"sha256={signature}",
    }
