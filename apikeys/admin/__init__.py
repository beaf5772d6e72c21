"""The admin's screens of services, keys, rights and the audit trail; importing the package registers them."""

from apikeys.admin import accounts, audit, keys, services  # noqa: F401
