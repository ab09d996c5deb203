"""How much memory this process may still take: of the machine, of its control groups, and of its
own limit on address space (`ulimit -v`)."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import psutil

if sys.platform != "win32":
    import resource

__all__ = ["free_memory", "groups_left"]

_GROUPS: Final = Path("/proc/self/cgroup")
_MOUNTED: Final = Path("/sys/fs/cgroup")
#: Address space that libraries map when results are computed and drawn, bytes. Measured.
LIBRARIES_BYTES: Final = 900e6


def free_memory() -> float:
    """Bytes that can still be allocated: the least of what the machine, the control groups (v1 and
    v2, with all above them) and `RLIMIT_AS` leave. File caches count as free."""
    left = [float(psutil.virtual_memory().available), *groups_left()]
    if sys.platform != "win32":
        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        if limit != resource.RLIM_INFINITY:
            left.append(limit - psutil.Process().memory_info().vms - LIBRARIES_BYTES)
    return max(0.0, min(left))


def groups_left(groups: Path = _GROUPS, mounted: Path = _MOUNTED) -> Iterator[float]:
    """Bytes that each control group of this process leaves; nothing where there are none.

    `groups` lists the groups as /proc/self/cgroup does, `mounted` is where they are mounted.
    """
    try:
        lines = groups.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            root, most, used = mounted, "memory.max", "memory.current"
        elif "memory" in controllers.split(","):
            root = mounted / "memory"
            most, used = "memory.limit_in_bytes", "memory.usage_in_bytes"
        else:
            continue
        # In a container the path may be the host's: then only the root can be read.
        own = root / path.strip("/")
        for group in (own, *own.parents):
            yield _left(group, most, used)
            if group == root:
                break


def _left(group: Path, most: str, used: str) -> float:
    try:
        limit = (group / most).read_text().strip()
        if limit == "max":
            return math.inf
        cached = 0
        for line in (group / "memory.stat").read_text().splitlines():
            key, _, value = line.partition(" ")
            if key in ("inactive_file", "total_inactive_file"):
                cached = max(cached, int(value))
        return float(int(limit) - int((group / used).read_text()) + cached)
    except (OSError, ValueError):
        return math.inf
