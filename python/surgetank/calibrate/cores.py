"""What a message costs the cores that nodes and clients share.

A chain on one machine has no stage that a train could keep busy by itself: every node checks,
gossips and executes every message on the same cores that also make the blocks and feed them. How
many cores are busy is measured at light, steady loads λ. Batching makes each further message
cheaper, so what messages take of the cores is fitted as a·λᵇ, by least squares of logarithms; where
that and the idle chain's part fill all cores, they end.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from surgetank.calibrate.estimate import Estimate, Ints, bootstrap
from surgetank.calibrate.probing import LOAD_SHARE_MAX

__all__ = ["Busy", "cores_here", "shared", "steady"]

_LOOKS_MAX: Final = 6
#: The last load, its half and its quarter are played in turn, so often.
_TURNS: Final = 2
#: Of b. Half would be: nothing costs anything but waking up; above 1, waiting messages cost too.
_POWERS: Final = (0.5, 1.5)


@dataclass(frozen=True)
class Busy:
    """Cores busy, of nodes and clients together, at a steady load."""

    rate_per_s: float
    cores: float


def cores_here() -> int:
    """Cores that this process, and what it starts, may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def steady(
    play: Callable[[float], Busy | None], hint_per_s: float, cores: int
) -> tuple[Busy, Sequence[Busy]] | None:
    """The idle chain, and readings up to where messages take 30 % of the cores that it leaves.

    `play` plays a rate; None where nodes' cores cannot be seen. `hint_per_s` is what trains say
    that the chain can carry: the first look is at 8 % of it; from there upwards, at most fourfold.
    With batching, 30 % of the cores is less than 30 % of the load at which they end.
    """
    idle, last = play(2e-4 * hint_per_s), play(0.08 * hint_per_s)
    if idle is None:
        return None
    for _ in range(_LOOKS_MAX):
        if last is None:
            return None
        share = (last.cores - idle.cores) / max(0.1, cores - idle.cores)
        # What is less than a fiftieth may be chance.
        rate = last.rate_per_s * min(4.0, LOAD_SHARE_MAX / max(share, 0.02))
        if rate < 1.3 * last.rate_per_s:
            break
        last = play(rate)
    found = [play(part * rate) for _ in range(_TURNS) for part in (0.25, 0.5, 1.0)]
    return idle, [one for one in found if one is not None]


def shared(idle: Busy, readings: Sequence[Busy], cores: int) -> Estimate | None:
    """Time per message at which all cores are busy, µs; None if more load did not cost more."""
    rate = np.asarray([r.rate_per_s for r in readings])
    more = np.asarray([r.cores - idle.cores for r in readings])
    left = cores - idle.cores
    if left <= 0 or len(readings) < 2 or (more <= 0).any():
        return None

    def each_us(index: Ints) -> float:
        x, y = np.log(rate[index]), np.log(more[index])
        if np.ptp(x) < 0.1:
            return float("nan")
        b = float(np.clip(np.polyfit(x, y, 1)[0], *_POWERS))
        return 1e6 / float(np.exp(x.mean() + (np.log(left) - y.mean()) / b))

    value = each_us(np.arange(len(readings)))
    if not np.isfinite(value):
        return None
    low, high = bootstrap(len(readings), each_us)
    text = f"time per message with all {cores} cores busy, drawn on from light loads"
    return Estimate("shared_cores", value, low, high, "µs", len(readings), text)
