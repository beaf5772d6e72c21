"""The artifact protocol."""
