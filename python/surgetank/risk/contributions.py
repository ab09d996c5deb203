"""Who causes bad debt: each group's part of the mean and of the expected shortfall.

Euler allocation (Tasche, "Risk contributions and performance measurement", 1999): the part of the
expected shortfall that a group contributes is the mean of the group's own loss over the runs in the
tail of the total, with the tail's weights. So the contributions of a division sum exactly to the
mean, and to the expected shortfall.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from surgetank.risk.estimates import (
    MEAN_RUNS,
    Floats,
    Indices,
    Interval,
    bootstrap,
    shortfall_runs,
    tail_weights,
)

__all__ = ["Contribution", "contributions"]

_TAIL = 0.95


@dataclass(frozen=True)
class Contribution:
    """A group's part of the mean and of the expected shortfall at 95 %, USD."""

    division: str
    """What the accounts are divided by: `leverage` or `size`."""
    member: str
    mean: float
    mean_ends: Interval | None
    """95 % interval; None with too few runs."""
    shortfall: float | None
    """None with too few runs."""
    shortfall_ends: Interval | None


def contributions(total: Floats, groups: Mapping[str, Floats], division: str) -> list[Contribution]:
    """The contribution of every group; all arrays have the shape (runs,), and the groups sum to the
    total."""
    runs, names = len(total), list(groups)
    if not names:
        return []
    parts = np.stack([groups[name] for name in names])

    def allocated(at: Indices) -> Floats:
        drawn = parts[:, at]
        order = np.argsort(total[at], axis=-1, kind="stable")[None]
        ranked = np.take_along_axis(drawn, np.broadcast_to(order, drawn.shape), axis=-1)
        return np.concatenate([drawn.mean(axis=-1), ranked @ tail_weights(at.shape[-1], _TAIL)])

    values = allocated(np.arange(runs))
    ends = bootstrap(runs, allocated) if runs >= MEAN_RUNS else [None] * (2 * len(names))
    tail = runs >= shortfall_runs(_TAIL)
    count = len(names)
    return [
        Contribution(
            division,
            name,
            float(values[i]),
            ends[i],
            float(values[count + i]) if tail else None,
            ends[count + i] if tail else None,
        )
        for i, name in enumerate(names)
    ]
