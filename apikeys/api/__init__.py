"""The REST API of services and keys."""
