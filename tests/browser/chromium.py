"""Starts the system's Chromium; knows no page."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
)
# Five seconds is what playwright expects of a machine of its own.
PATIENCE = 60_000
expect.set_options(timeout=PATIENCE)


@contextmanager
def launched(*flags: str) -> Iterator[Browser]:
    """Yield a browser; while it lives, a loop runs in this thread, which Django takes for an async program."""
    with sync_playwright() as playwright:
        facts = {"executable_path": _path(), "chromium_sandbox": False, "timeout": 2 * PATIENCE}
        browser = playwright.chromium.launch(**facts, args=[*FLAGS, *flags])
        yield browser
        browser.close()


def _path() -> str:
    """Return the browser of the system; playwright's own is never downloaded."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        message = "THE ADMIN WAS SEEN BY NO BROWSER: apt-get install chromium"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    return path
