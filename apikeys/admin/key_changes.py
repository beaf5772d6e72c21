"""What can be done to keys that exist: rotate, revoke, disable, enable; each is one of apikeys.actions."""

from apikeys import actions, staff
from apikeys.admin.changes import Change, may_change
from apikeys.admin.forms import OptionalReasonForm, ReasonForm
from apikeys.admin.key_forms import RotateForm
from apikeys.models import ApiKey

ROTATE: Change[ApiKey] = Change(
    name="rotate",
    verb="Rotate",
    done="rotated",
    consequence="A successor with the same rights is issued and shown once. The old key works on until the grace ends.",
    form=RotateForm,
    apply=lambda row, facts, actor: actions.rotate_key(key=row, grace=facts["grace"], actor=actor),
    may=staff.may_rotate,
    suits=lambda row: not (row.is_revoked or row.is_disabled or hasattr(row, "successor")),
)
DISABLE: Change[ApiKey] = Change(
    name="disable",
    verb="Disable",
    done="disabled",
    consequence="Refused from the next request on, until enabled again. The expiry does not wait.",
    form=ReasonForm,
    apply=lambda row, facts, actor: actions.disable_key(key=row, reason=facts["reason"], actor=actor),
    may=may_change,
    suits=lambda row: not (row.is_disabled or row.is_revoked),
)
ENABLE: Change[ApiKey] = Change(
    name="enable",
    verb="Enable",
    done="enabled",
    consequence="Works again, unless it has ended or its service is disabled.",
    form=OptionalReasonForm,
    apply=lambda row, facts, actor: actions.enable_key(key=row, reason=facts["reason"], actor=actor),
    may=may_change,
    suits=lambda row: row.is_disabled,
)
REVOKE: Change[ApiKey] = Change(
    name="revoke",
    verb="Revoke",
    done="revoked",
    consequence="Refused from the next request on, for good. This cannot be undone.",
    form=ReasonForm,
    apply=lambda row, facts, actor: actions.revoke_key(key=row, reason=facts["reason"], actor=actor),
    may=may_change,
    suits=lambda row: not row.is_revoked,
    is_grave=True,
)
