"""Measurements, as ratios against MLflow alone in the same run; asserts nothing."""
