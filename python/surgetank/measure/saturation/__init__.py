"""Saturation of every resource of the layer and the venue, the most saturated first.

A resource's value is its use at the worst place in the busiest window (one second, or the median
block interval where that is longer), from 0 to 1, where 1 is full use. Links and servers:
busy time over time, exact. Queues, blocks: how full. Where there is no natural capacity, the
function's docstring defines a proxy. Only resources for which the trace has data are included.
"""

from __future__ import annotations

from typing import Final

from surgetank.measure.measured import Measure
from surgetank.measure.saturation.fault_impact import faults
from surgetank.measure.saturation.liquidation_capacity import (
    book_depth,
    insurance,
    keepers,
    liquidation_limits,
)
from surgetank.measure.saturation.ordering import block_space, consensus_timeouts
from surgetank.measure.saturation.resource_use import FULL, RESOURCES, Saturation, rank
from surgetank.measure.saturation.stations import queues, servers
from surgetank.trace import Trace
from surgetank.trace.once import once_per_trace

__all__ = ["FULL", "RESOURCES", "Saturation", "measures", "rank", "saturation"]

_PARTS: Final = (
    servers,
    queues,
    block_space,
    consensus_timeouts,
    keepers,
    liquidation_limits,
    book_depth,
    insurance,
    faults,
)


@once_per_trace
def saturation(trace: Trace) -> tuple[Saturation, ...]:
    """Every resource for which the trace has data, the most saturated first; ties by RESOURCES."""
    parts = _PARTS if trace.stats.live is None else (servers, queues, faults)
    found = (one for part in parts for one in part(trace))
    return tuple(sorted(found, key=lambda one: rank(one.resource, one.value)))


def measures(trace: Trace) -> list[Measure]:
    """`saturation.<resource>`: the use of each, from 0 to 1, in the order of RESOURCES."""
    found = sorted(saturation(trace), key=lambda s: RESOURCES.index(s.resource))
    return [
        Measure(f"saturation.{s.resource}", s.value, n=1, note=f"{s.where}: {s.what}")
        for s in found
    ]
