"""Links, servers and queues of every node, from the gauges."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from surgetank.measure.saturation.resource_use import SECOND, Saturation, window_ns
from surgetank.scenario.network import Network
from surgetank.trace import Outcome, OutcomeReason, Trace
from surgetank.trace.once import once_per_trace

__all__ = ["queues", "servers"]

#: Resource → column, and what is busy.
_BUSY: Final = {
    "uplink": ("uplink_busy_ns", "uplink"),
    "downlink": ("downlink_busy_ns", "downlink"),
    "validation": ("validation_busy_ns", "validation servers"),
    "consensus-validation": ("consensus_busy_ns", "server for consensus messages"),
    "execution": ("execution_busy_ns", "execution server"),
}
#: Resource → column, key of its bound, number of the reason for which it refuses.


def servers(trace: Trace) -> Iterator[Saturation]:
    """uplink, downlink, validation, consensus-validation, execution.

    Use = busy time over (time × servers) between two readings about a window apart, in the worst
    node. Left out are links without a bound and stations that the layer does not have.
    """
    rows = _measured(trace)
    times = np.unique(rows["time_ns"].to_numpy())
    if len(times) < 2:
        return
    window, step = window_ns(trace), float(np.median(np.diff(times)))
    readings = max(1, min(math.ceil(window / step), len(times) - 1))
    count = {"validation": float(trace.scenario.layer.service.servers)}
    for resource, (column, name) in _BUSY.items():
        if not _is_there(resource, trace, rows[column]):
            continue
        known = rows.filter(pl.col(column).is_not_null())
        wide, short = (_uses(known, column, k, count.get(resource, 1.0)) for k in (readings, 1))
        if not len(wide.use):
            continue
        worst = int(np.argmax(np.round(wide.use, 9)))
        node, span_s, at_s = wide.node[worst], wide.span[worst] / SECOND, wide.begin[worst] / SECOND
        own = (short.node == node) & (short.use >= 0.95)
        full_s = float(short.span[own].sum()) / SECOND
        where = trace.node_name(int(node))
        what = f"the {name} of {where} were busy for {wide.use[worst]:.0%} of the time"
        what += f" in the {span_s:.2g} s from {at_s:.1f} s"
        what += f"; {full_s:.1f} s of the run at 95 % or more" if full_s else ""
        use, peak = (min(1.0, float(one.use.max())) for one in (wide, short))
        yield Saturation(resource, where, use, max(use, peak), float(at_s), what)


def queues(trace: Trace) -> Iterator[Saturation]:
    """ingress-queue, mempool: 1 if it refused a message, else its greatest length over its bound.

    Between two readings a queue may have been full: refusals show that.
    """
    rows, queue = _measured(trace), trace.scenario.layer.queue
    refused = trace["messages"].filter(
        (pl.col("outcome") != Outcome.EXECUTED) & (pl.col("gateway_ns") >= trace.measured_from_ns)
    )
    stations = (
        ("ingress-queue", "ingress_len", queue.ingress_max, OutcomeReason.INGRESS_FULL),
        ("mempool", "mempool_len", queue.mempool_max, OutcomeReason.MEMPOOL_FULL),
    )
    for resource, column, bound, reason in stations:
        if resource == "mempool" and not trace.orders:
            continue
        turned = refused.filter(pl.col("reason") == reason).sort("gateway_ns", "message")
        if rows.is_empty() and turned.is_empty():
            continue
        length, where, at_ns = 0, "all nodes", trace.measured_from_ns
        if rows.height:
            most = rows.filter(pl.col(column) == pl.col(column).max())
            longest = most.sort("time_ns", "node").row(0, named=True)
            length, at_ns = int(longest[column]), int(longest["time_ns"])
            where = trace.node_name(longest["node"])
        fill = min(1.0, length / bound) if bound else 0.0
        what = f"at most {length:,} of {bound:,} places were taken, at {where}"
        if turned.height:
            at_ns = int(turned["gateway_ns"][0])
            where = where if fill >= 1 else trace.node_name(_place(trace, turned))
            what = f"{turned.height:,} messages found no room among {bound:,} places"
        value = 1.0 if turned.height else fill
        yield Saturation(resource, where, value, value, at_ns / SECOND, what)


@once_per_trace
def _measured(trace: Trace) -> pl.DataFrame:
    rows = trace["gauges"].filter(pl.col("time_ns") >= trace.measured_from_ns)
    return rows.sort("node", "time_ns").with_columns(pl.col("time_ns").cast(pl.Int64))


def _is_there(resource: str, trace: Trace, cells: pl.Series) -> bool:
    scenario = trace.scenario
    if cells.null_count() == len(cells):
        return False
    if resource == "uplink":
        return _limited(scenario.network, "uplink_mbps")
    if resource == "downlink":
        return _limited(scenario.network, "downlink_mbps")
    if resource == "consensus-validation":
        return scenario.layer.consensus.votes
    return trace.orders or resource != "execution"


def _limited(network: Network, key: str) -> bool:
    """Whether some node's uplink or downlink has a rate."""
    rates = [getattr(machine, key) for machine in network.machines]
    return getattr(network, key) > 0 or any(rate for rate in rates)


class _Uses(NamedTuple):
    """Use between pairs of readings of one node."""

    node: NDArray[np.int64]
    begin: NDArray[np.int64]
    span: NDArray[np.int64]
    use: NDArray[np.float64]


def _uses(rows: pl.DataFrame, column: str, readings: int, count: float) -> _Uses:
    """Between readings that many apart; times in ns."""
    node, time, busy = (rows[c].cast(pl.Int64).to_numpy() for c in ("node", "time_ns", column))
    same = node[readings:] == node[:-readings]
    span = (time[readings:] - time[:-readings])[same]
    use = (busy[readings:] - busy[:-readings])[same] / (span * count)
    return _Uses(node[readings:][same], time[:-readings][same], span, use)


def _place(trace: Trace, turned: pl.DataFrame) -> int:
    """The gateway whose messages were refused most."""
    counts = turned.group_by("gateway").len().sort("len", "gateway", descending=[True, False])
    return int(counts["gateway"][0])
