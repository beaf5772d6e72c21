"""Reaches whom a service names as its contact, by mail; decides neither when nor what."""

import smtplib

from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage
from django.core.validators import validate_email

from apikeys import conf
from apikeys.models import Service


def mail(service: Service, subject: str, lines: tuple[str, ...]) -> bool:
    """Mail a service's contact; return False where there is none, or none that a mail can reach.

    Raises OSError, which smtplib's errors are, where the mail server took nothing and may do so later.
    """
    contact = service.contact.strip()
    try:
        validate_email(contact)
    except ValidationError:
        return False
    if not conf.has_mail_server():
        return False
    body = "\n".join((*lines, "", conf.public_url()))
    try:
        EmailMessage(subject, body, to=[contact]).send()
    except smtplib.SMTPRecipientsRefused:
        return False
    return True
