"""Tests of the screens that know MLflow."""
