"""Leaves behind how a run of the suite ended, for .ci/test: a run that broke off has no list of all that failed."""

import pytest


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    # With -x or --maxfail, a run that broke off has the status of one that did not.
    status = pytest.ExitCode.INTERRUPTED if session.shouldfail or session.shouldstop else exitstatus
    if cache := getattr(session.config, "cache", None):
        cache.set("hokusai/ended", int(status))
