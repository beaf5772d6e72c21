"""The one word for a key's condition, by the database's clock; builds expressions, and knows no row and no screen."""

import datetime
from types import MappingProxyType

from django.db.models import Case, CharField, Q, Value, When
from django.db.models.functions import Now

EXPIRING = datetime.timedelta(days=30)
IDLE = datetime.timedelta(days=90)

# In the order in which they win: a key has one status, the first that holds.
DESCRIPTIONS = MappingProxyType(
    {
        "revoked": "ended for good",
        "expired": "ended by time",
        "disabled": "paused, or its service is",
        "in grace": "replaced, and works on until the grace ends",
        "expiring": f"ends within {EXPIRING.days} days",
        "idle": f"not used for {IDLE.days} days",
        "active": "works",
    }
)


def never_used() -> Q:
    return Q(last_used_at__isnull=True)


def expiring() -> Q:
    """Return the condition of keys that end within EXPIRING, whatever else they are."""
    return Q(expires_at__gt=Now(), expires_at__lte=Now() + EXPIRING)


def idle() -> Q:
    """Return the condition of keys that nobody has used for IDLE, or never since they were issued so long ago."""
    return Q(last_used_at__lte=Now() - IDLE) | (never_used() & Q(created_at__lte=Now() - IDLE))


def expression() -> Case:
    """Return a key's status as a word of DESCRIPTIONS, for a queryset to annotate."""
    conditions = {
        "revoked": Q(revoked_at__isnull=False),
        "expired": Q(expires_at__lte=Now()),
        "disabled": Q(disabled_at__isnull=False) | Q(service__disabled_at__isnull=False),
        "in grace": Q(successor__isnull=False),
        "expiring": expiring(),
        "idle": idle(),
    }
    whens = [When(condition, then=Value(word)) for word, condition in conditions.items()]
    return Case(*whens, default=Value("active"), output_field=CharField())
