"""The admin's screens of services, keys, rights, usage and the audit trail; importing the package registers them."""

from apikeys.admin import accounts, audit, keys, services, usage  # noqa: F401
