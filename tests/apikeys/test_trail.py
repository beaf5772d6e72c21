"""The audit trail: events are added and nothing else, whoever asks and however."""

import pytest
from django.db import IntegrityError, connection

from apikeys import trail
from apikeys.models import AuditEvent


@pytest.mark.parametrize(
    "change",
    [
        lambda events: events.update(actor="somebody else"),
        lambda events: events.delete(),
        lambda events: events._raw_delete("default"),
    ],
    ids=["update", "delete", "raw delete"],
)
def test_trail_change_is_refused_by_the_database(platform, change):
    with pytest.raises(IntegrityError, match="append-only"):
        change(AuditEvent.objects.all())


def test_trail_emptied_by_hand_is_refused_by_the_database(platform):
    statement = "TRUNCATE" if connection.vendor == "postgresql" else "DELETE FROM"
    with pytest.raises(IntegrityError, match="append-only"), connection.cursor() as cursor:
        cursor.execute(f"{statement} apikeys_auditevent")


def test_denial_keeps_no_key_that_was_pasted_into_an_address(actor, reader):
    trail.record_denial(method="GET", path=f"/admin/{reader.secret.text}/", actor=actor)
    event = AuditEvent.objects.order_by("pk").last()
    assert (event.action, event.actor) == ("admin_denied", "alice")
    assert reader.secret.text[20:] not in str(event.after)


def test_export_keeps_no_key_among_its_filters(actor, reader):
    trail.record_export(form="csv", filters=f"q={reader.secret.text}", actor=actor)
    assert reader.secret.text[20:] not in str(AuditEvent.objects.order_by("pk").last().after)
