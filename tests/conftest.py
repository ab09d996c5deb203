"""What several test files share."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from playwright.sync_api import Browser, sync_playwright

from chromium import CHROMIUM, QUIET

# Tests run on all cores already: threads of linear algebra would only wait for each other. NumPy
# reads this when it is first imported, which nothing above does; worker processes inherit it.
for threads in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(threads, "1")
# A console takes its size from these when it is made, and tests set them for the commands they run.
for size in ("COLUMNS", "LINES"):
    os.environ.pop(size, None)

# A busy machine is no failure, and the same commit gives the same examples.
settings.register_profile("surgetank", deadline=None, derandomize=True)
settings.load_profile("surgetank")


#: A file that collects what several runs of pytest skipped; `make test` shows it at its end.
SKIPPED = os.environ.get("SURGETANK_SKIPPED")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for a file's pages. It ends with the file: Playwright keeps an event loop running
    on this thread, in which no other test of this process could run one."""
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield opened
        opened.close()


@pytest.fixture(scope="module", autouse=True)
def no_loop_left_running() -> None:
    """Whatever file leaves an event loop running breaks the next one of this process."""
    with pytest.raises(RuntimeError, match="no running event loop"):
        asyncio.get_running_loop()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was skipped, and what to do about it: a reason names the command that installs it."""
    reasons = Counter(
        report.longrepr[2].removeprefix("Skipped: ")
        for report in terminalreporter.stats.get("skipped", [])
        if isinstance(report.longrepr, tuple)
    )
    if not reasons:
        return
    rows = [f"{count:4} skipped: {reason}" for reason, count in reasons.most_common()]
    terminalreporter.section("not tested here")
    for row in rows:
        terminalreporter.write_line(row)
    if SKIPPED:
        with Path(SKIPPED).open("a", encoding="utf-8") as file:
            file.writelines(f"{row}\n" for row in rows)
