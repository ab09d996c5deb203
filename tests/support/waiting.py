"""Waiting for a condition in tests without an event loop."""

from __future__ import annotations

import time
from collections.abc import Callable


def until(check: Callable[[], bool], seconds: float = 30.0) -> bool:
    """Checks ten times a second for so many seconds; whether the condition holds at the end."""
    end = time.monotonic() + seconds
    while not check() and time.monotonic() < end:
        time.sleep(0.1)
    return check()
