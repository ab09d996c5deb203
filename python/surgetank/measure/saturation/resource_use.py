"""The use of a resource: name, place, value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from surgetank.catalogue.families import RESOURCE
from surgetank.trace import Trace
from surgetank.trace.once import once_per_trace

__all__ = ["FULL", "RESOURCES", "SECOND", "Saturation", "rank", "window_ns"]

SECOND: Final = 1_000_000_000

RESOURCES: Final = tuple(RESOURCE.members)
"""Every resource, causes before what they cause: of several that are full, the first is named."""

FULL: Final = 0.98
"""From this use on a resource counts as full: a window rarely coincides with a peak exactly."""


@dataclass(frozen=True)
class Saturation:
    """The use of one resource at the worst place in the busiest window."""

    resource: str
    """One of RESOURCES."""
    where: str
    """`node 3`, `keeper 0`, `nodes 2, 5`, `blocks`, `book`, `fund`."""
    value: float
    """Use from 0 to 1, where 1 is full use."""
    peak: float
    """Greatest use in the shortest interval that the trace resolves."""
    at_s: float
    """When the busiest window began, seconds since the start of the run."""
    what: str
    """One line of text."""


def rank(resource: str, value: float) -> tuple[float, int]:
    """Sort key: most saturated first; of those that are FULL, causes before what they cause."""
    return (-1.0 if value >= FULL else -round(value, 3), RESOURCES.index(resource))


@once_per_trace
def window_ns(trace: Trace) -> int:
    """One second, or the median block interval where that is longer, at most the measured run."""
    decided = trace["blocks"].sort("height")["decided_ns"].cast(pl.Int64)
    gaps: NDArray[np.int64] = np.diff(decided.to_numpy())
    interval = int(np.median(gaps)) if len(gaps) else 0
    return max(1, min(max(SECOND, interval), trace.end_ns - trace.measured_from_ns))
