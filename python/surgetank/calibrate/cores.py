"""Processor time per message on the cores that nodes and clients share.

A chain on one machine has no stage that a train could keep busy by itself: every node checks,
gossips and executes every message on the same cores that also make the blocks and feed them. How
many cores are busy is measured at two light, steady loads; the secant through them, extrapolated to
all cores, gives the capacity. Batching makes each further message cheaper, so the true capacity is
somewhat higher; a law with a bend (a·λᵇ through three loads) was tried and overestimated it as
often.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from surgetank.calibrate.estimate import Estimate
from surgetank.calibrate.probing import LOAD_SHARE_MAX
from surgetank.measure.statistics import student_t

__all__ = ["TURNS", "CoreUse", "cores_here", "shared", "steady"]

_LOOKS_MAX: Final = 6
#: Number of runs of the last load and of its half, in alternation.
TURNS: Final = 5


@dataclass(frozen=True)
class CoreUse:
    """Mean number of busy cores, of nodes and clients together, at a steady load."""

    rate_per_s: float
    cores: float


def cores_here() -> int:
    """Cores that this process, and what it starts, may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def steady(
    play: Callable[[float], CoreUse | None], hint_per_s: float, cores: int
) -> Sequence[CoreUse] | None:
    """Readings where messages take about 15 and 30 % of the cores that the idle chain leaves.

    `play` runs at a rate (1/s); the result is None where the nodes' processor time cannot be read.
    `hint_per_s` is the capacity by trains, which may be far too high: the first load is 2 % of it;
    from there upwards, at most fourfold. With batching, 30 % of the cores is less than 30 % of the
    load at which they end.
    """
    idle, last = play(2e-4 * hint_per_s), play(0.02 * hint_per_s)
    if idle is None:
        return None
    for _ in range(_LOOKS_MAX):
        if last is None:
            return None
        share = (last.cores - idle.cores) / max(0.1, cores - idle.cores)
        # Less than 2 % of a core may be noise.
        rate = last.rate_per_s * min(4.0, LOAD_SHARE_MAX / max(share, 0.02))
        if rate < 1.3 * last.rate_per_s:
            break
        last = play(rate)
    found = [play(part * rate) for _ in range(TURNS) for part in (0.5, 1.0)]
    return [one for one in found if one is not None]


def shared(readings: Sequence[CoreUse], cores: int) -> Estimate | None:
    """Time per message at which all cores are busy, µs; None if more load did not cost more.

    With means y₁ and y₂ of the cores busy at the lower and the upper load, x apart, the end is at
    E = x₂ + (C − y₂) x / (y₂ − y₁); its interval is by the delta method, with the readings' scatter
    about the two means and Student's t.
    """
    rate = np.asarray([r.rate_per_s for r in readings])
    busy = np.asarray([r.cores for r in readings])
    upper = rate > (rate.min() + rate.max()) / 2
    if upper.all() or not upper.any():
        return None
    (x1, y1), (x2, y2) = ((rate[u].mean(), busy[u].mean()) for u in (~upper, upper))
    if y2 <= y1:
        return None
    left = max(0.0, cores - y2)
    end = float(x2 + left * (x2 - x1) / (y2 - y1))
    low = high = None
    if (freedom := len(readings) - 2) > 0:
        scatter = np.sum((busy - np.where(upper, y2, y1)) ** 2) / freedom
        by_y1 = left * (x2 - x1) / (y2 - y1) ** 2
        by_y2 = by_y1 + (x2 - x1) / (y2 - y1)
        spread = scatter * (by_y1**2 / (~upper).sum() + by_y2**2 / upper.sum())
        half = student_t(freedom) * float(np.sqrt(spread))
        low, high = 1e6 / (end + half), 1e6 / max(end - half, float(x2))
    text = f"time per message with all {cores} cores busy, extrapolated from light loads"
    return Estimate("shared_cores", 1e6 / end, low, high, "µs", len(readings), text)
