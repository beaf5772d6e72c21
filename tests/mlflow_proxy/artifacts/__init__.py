"""Tests of the artifact protocol."""
