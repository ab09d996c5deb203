"""Waking up on time: by a timer of the kernel where there is one; event loops count in ms."""

from __future__ import annotations

import asyncio
import ctypes
import os
import struct
import sys
import time
from typing import Final, Self

__all__ = ["Timer"]

_CLOCK_MONOTONIC: Final = 1
_ABSOLUTE: Final = 1
_NONBLOCK_CLOEXEC: Final = 0o4000 | 0o2000000


class Timer:
    """Wakes one coroutine at a time of `time.monotonic_ns()`; timerfd(2) on Linux."""

    def __init__(self) -> None:
        self._descriptor = _timer() if sys.platform == "linux" else None
        self._woken = asyncio.Event()
        if self._descriptor is not None:
            asyncio.get_running_loop().add_reader(self._descriptor, self._ring)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._descriptor is not None:
            asyncio.get_running_loop().remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = None

    def _ring(self) -> None:
        assert self._descriptor is not None
        try:
            os.read(self._descriptor, 8)
        except BlockingIOError:
            return
        self._woken.set()

    async def until(self, at_ns: int) -> None:
        """Returns at that time, or soon after; at once (but after others had a turn) if past."""
        wait_ns = at_ns - time.monotonic_ns()
        if wait_ns <= 0:
            await asyncio.sleep(0)
        elif self._descriptor is None:
            await asyncio.sleep(wait_ns / 1e9)
        else:
            self._woken.clear()
            seconds, rest = divmod(at_ns, 1_000_000_000)
            setting = struct.pack("qqqq", 0, 0, seconds, rest)
            if _libc().timerfd_settime(self._descriptor, _ABSOLUTE, setting, None):
                await asyncio.sleep(wait_ns / 1e9)
                return
            await self._woken.wait()


def _timer() -> int | None:
    try:
        found = int(_libc().timerfd_create(_CLOCK_MONOTONIC, _NONBLOCK_CLOEXEC))
    except (OSError, AttributeError):
        return None
    return found if found >= 0 else None


def _libc() -> ctypes.CDLL:
    global _LIBC
    if _LIBC is None:
        _LIBC = ctypes.CDLL(None, use_errno=True)
    return _LIBC


_LIBC: ctypes.CDLL | None = None
