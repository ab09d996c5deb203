"""Calls at a time in nanoseconds: event loops of Python wake up on whole milliseconds."""

from __future__ import annotations

import asyncio
import ctypes
import heapq
import os
import sys
import time
from collections.abc import Callable
from typing import Final

__all__ = ["Alarms"]

_CLOCK_MONOTONIC: Final = 1
_TFD_NONBLOCK: Final = 0o4000
_TFD_CLOEXEC: Final = 0o2000000
_TFD_TIMER_ABSTIME: Final = 1


class _Spec(ctypes.Structure):
    """`struct itimerspec` with 64-bit times."""

    _fields_ = [(name, ctypes.c_long) for name in ("every_s", "every_ns", "at_s", "at_ns")]


class Alarms:
    """One heap of calls on one timerfd; on systems without it, on the loop's own timers."""

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
        """Calls at a time of `time.monotonic_ns`; never earlier."""
        self._count += 1
        heapq.heappush(self._heap, (when_ns, self._count, call))
        if self._next_ns == 0 or when_ns < self._next_ns:
            self._set(when_ns)

    def close(self) -> None:
        """No more calls."""
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
