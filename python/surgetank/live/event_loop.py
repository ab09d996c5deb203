"""Event loops with timers of nanosecond resolution; those of Python's own loops are rounded to
milliseconds."""

from __future__ import annotations

import asyncio
import ctypes
import heapq
import os
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final, Self, TypeVar

__all__ = ["Alarms", "Timer", "run_loop"]

_T = TypeVar("_T")

_CLOCK_MONOTONIC: Final = 1
_TFD_NONBLOCK: Final = 0o4000
_TFD_CLOEXEC: Final = 0o2000000
_TFD_TIMER_ABSTIME: Final = 1


def run_loop(main: Coroutine[Any, Any, _T]) -> _T:
    """Runs a process's main coroutine, on uvloop where it is installed."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(main)
    return uvloop.run(main)


class _Spec(ctypes.Structure):
    """`struct itimerspec` with 64-bit times."""

    _fields_ = [(name, ctypes.c_long) for name in ("every_s", "every_ns", "at_s", "at_ns")]


class Alarms:
    """Timed calls by one heap and one timerfd; on systems without timerfd, by the loop's own
    timers."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._heap: list[tuple[int, int, Callable[[], None]]] = []
        self._count = 0
        self._fd = -1
        self._next_ns = 0
        if sys.platform == "linux" and ctypes.sizeof(ctypes.c_long) == 8:
            self._libc = ctypes.CDLL(None, use_errno=True)
            flags = _TFD_NONBLOCK | _TFD_CLOEXEC
            self._fd = self._libc.timerfd_create(_CLOCK_MONOTONIC, flags)
        if self._fd >= 0:
            loop.add_reader(self._fd, self._rang)

    def at(self, when_ns: int, call: Callable[[], None]) -> None:
        """Calls `call` at a time of `time.monotonic_ns`, never earlier."""
        self._count += 1
        heapq.heappush(self._heap, (when_ns, self._count, call))
        if self._next_ns == 0 or when_ns < self._next_ns:
            self._set(when_ns)

    def close(self) -> None:
        """Cancels all calls."""
        self._heap.clear()
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1

    def _set(self, when_ns: int) -> None:
        self._next_ns = when_ns
        if self._fd < 0:
            wait_ns = max(0, when_ns - time.monotonic_ns())
            self._loop.call_later(wait_ns / 1e9, self._ring)
            return
        spec = _Spec(0, 0, *divmod(max(1, when_ns), 1_000_000_000))
        self._libc.timerfd_settime(self._fd, _TFD_TIMER_ABSTIME, ctypes.byref(spec), None)

    def _rang(self) -> None:
        try:
            os.read(self._fd, 8)
        except BlockingIOError:
            return
        self._ring()

    def _ring(self) -> None:
        self._next_ns = 0
        while self._heap and self._heap[0][0] <= time.monotonic_ns():
            heapq.heappop(self._heap)[2]()
        if self._heap and self._next_ns == 0:
            self._set(self._heap[0][0])


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
        """Returns at that time or soon after; for a time in the past, after one turn of the
        loop."""
        if at_ns <= time.monotonic_ns():
            await asyncio.sleep(0)
            return
        self._woken.clear()
        self._alarms.at(at_ns, self._woken.set)
        await self._woken.wait()
