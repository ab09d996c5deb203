"""Waking up on time, to a fraction of a millisecond."""

from __future__ import annotations

import asyncio
import time
from typing import Self

from surgetank.live.alarms import Alarms

__all__ = ["Timer"]


class Timer:
    """Wakes one coroutine at a time of `time.monotonic_ns()`."""

    def __init__(self) -> None:
        self._alarms = Alarms(asyncio.get_running_loop())
        self._woken = asyncio.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._alarms.close()

    async def until(self, at_ns: int) -> None:
        """Returns at that time, or soon after; at once (but after others had a turn) if past."""
        if at_ns <= time.monotonic_ns():
            await asyncio.sleep(0)
            return
        self._woken.clear()
        self._alarms.at(at_ns, self._woken.set)
        await self._woken.wait()
