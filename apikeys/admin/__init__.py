"""The admin's screens of services, keys, rights, usage, webhooks and the audit trail; importing it registers them."""

from apikeys.admin import accounts, audit, deliveries, keys, services, usage, webhooks  # noqa: F401
