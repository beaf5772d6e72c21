"""The only writers of services, keys and the audit trail: each writes its event in the same transaction.

Everything that changes a key (commands, admin, REST) calls these keyword-only functions. They decide no right
of the caller; a key's secret exists only as their return value.
"""

from apikeys.actions.keys import (
    DEFAULT_GRACE,
    IssuedKey,
    KeyChanges,
    change_key,
    disable_key,
    enable_key,
    issue_key,
    revoke_key,
    rotate_key,
)
from apikeys.actions.notes import (
    EXPIRY_NOTICED,
    NETWORK_NOTICED,
    record_expiry_notice,
    record_network_notices,
    record_presigned_urls,
)
from apikeys.actions.services import (
    ServiceChanges,
    change_service,
    create_service,
    disable_service,
    enable_service,
    pin_service,
    set_issuers,
    set_presigned_urls,
)
from apikeys.rules import ActionRefusedError, AlreadyIssuedError, AlreadyRevokedError, AlreadyRotatedError
from apikeys.trail import Actor

__all__ = [
    "DEFAULT_GRACE",
    "EXPIRY_NOTICED",
    "NETWORK_NOTICED",
    "ActionRefusedError",
    "Actor",
    "AlreadyIssuedError",
    "AlreadyRevokedError",
    "AlreadyRotatedError",
    "IssuedKey",
    "KeyChanges",
    "ServiceChanges",
    "change_key",
    "change_service",
    "create_service",
    "disable_key",
    "disable_service",
    "enable_key",
    "enable_service",
    "issue_key",
    "pin_service",
    "record_expiry_notice",
    "record_network_notices",
    "record_presigned_urls",
    "revoke_key",
    "rotate_key",
    "set_issuers",
    "set_presigned_urls",
]
