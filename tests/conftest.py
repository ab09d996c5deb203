"""What several test files share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings
from playwright.sync_api import Browser, sync_playwright

from chromium import CHROMIUM, QUIET

# A busy machine is no failure, and the same commit gives the same examples.
settings.register_profile("surgetank", deadline=None, derandomize=True)
settings.load_profile("surgetank")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One browser for all pages."""
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield opened
        opened.close()
