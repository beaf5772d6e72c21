"""Composes the portal from its apps; owns no rule of its own."""

__version__ = "0.1.0"
