"""Links, servers and queues of every node, from the gauges."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

import polars as pl

from surgetank.measure.saturation.found import SECOND, Saturation, Setting, window_ns
from surgetank.trace import REASONS, Trace

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
_QUEUES: Final = {
    "ingress-queue": ("ingress_len", "ingress_max", REASONS.index("ingress full")),
    "mempool": ("mempool_len", "mempool_max", REASONS.index("mempool full")),
}


def servers(trace: Trace) -> Iterator[Saturation]:
    """uplink, downlink, validation, consensus-validation, execution.

    Use = busy time over (time × servers) between two readings about a window apart, in the worst
    node. Left out are links without a bound and stations that the layer does not have.
    """
    rows = _measured(trace)
    steps = rows["time_ns"].unique().sort().diff().drop_nulls()
    if steps.is_empty():
        return
    window, step = window_ns(trace), float(steps.median())  # type: ignore[arg-type]
    readings = max(1, min(math.ceil(window / step), len(steps)))
    there = [r for r in _BUSY if _is_there(r, trace, rows[_BUSY[r][0]])]
    count = {"validation": Setting(trace).number("layer.service.servers", 1.0)}
    for resource in there:
        column, name = _BUSY[resource]
        wide, short = (_uses(rows, column, k, count.get(resource, 1.0)) for k in (readings, 1))
        worst = wide.sort("use", "node", descending=[True, False]).row(0, named=True)
        own = short.filter((pl.col("node") == worst["node"]) & (pl.col("use") >= 0.95))
        full_s = float(own["span"].sum()) / SECOND
        what = f"the {name} of node {worst['node']} worked {worst['use']:.0%} of the time"
        what += f" in the {worst['span'] / SECOND:.2g} s from {worst['from'] / SECOND:.1f} s"
        what += f"; {full_s:.1f} s of the run at 95 % or more" if full_s else ""
        peak = float(short["use"].max())  # type: ignore[arg-type]
        use = min(1.0, float(worst["use"]))
        where, at_s = f"node {worst['node']}", worst["from"] / SECOND
        yield Saturation(resource, where, use, max(use, min(1.0, peak)), at_s, what)


def queues(trace: Trace) -> Iterator[Saturation]:
    """ingress-queue, mempool: 1 if it refused a message, else its greatest length over its bound.

    A queue that is read full now and then may have been full in between: refusals tell.
    """
    rows, setting = _measured(trace), Setting(trace)
    refused = trace["messages"].filter(
        (pl.col("outcome") != 1) & (pl.col("gateway_ns") >= trace.measured_from_ns)
    )
    for resource, (column, key, reason) in _QUEUES.items():
        bound = setting(f"layer.queue.{key}")
        if bound is None or (resource == "mempool" and not trace.orders):
            continue
        turned = refused.filter(pl.col("reason") == reason).sort("gateway_ns", "message")
        if rows.is_empty() and turned.is_empty():
            continue
        length, where, at_ns = 0, "all nodes", trace.measured_from_ns
        if rows.height:
            longest = rows.sort(column, "time_ns", descending=[True, False]).row(0, named=True)
            length, at_ns = int(longest[column]), int(longest["time_ns"])
            where = f"node {longest['node']}"
        fill = min(1.0, length / bound) if bound else 0.0
        what = f"at most {length:,} of {bound:,} places were taken, at {where}"
        if turned.height:
            at_ns = int(turned["gateway_ns"][0])
            where = where if fill >= 1 else f"node {_place(trace, turned)}"
            what = f"{turned.height:,} messages found no room among {bound:,} places"
        value = 1.0 if turned.height else fill
        yield Saturation(resource, where, value, value, at_ns / SECOND, what)


def _measured(trace: Trace) -> pl.DataFrame:
    rows = trace["gauges"].filter(pl.col("time_ns") >= trace.measured_from_ns)
    return rows.sort("node", "time_ns").with_columns(pl.col("time_ns").cast(pl.Int64))


def _is_there(resource: str, trace: Trace, cells: pl.Series) -> bool:
    setting = Setting(trace)
    if cells.null_count() == len(cells):
        return False
    if resource in ("uplink", "downlink"):
        return setting.number(f"network.{resource}_mbps", 1.0) > 0
    if resource == "consensus-validation":
        return setting("layer.consensus.kind") in (None, "tendermint")
    return trace.orders or resource != "execution"


def _uses(rows: pl.DataFrame, column: str, readings: int, count: float) -> pl.DataFrame:
    """node, from (ns), span (ns) and use between readings that many apart."""
    span = pl.col("time_ns").diff(readings).over("node")
    busy = pl.col(column).cast(pl.Int64).diff(readings).over("node")
    found = rows.select(
        "node",
        (pl.col("time_ns") - span).alias("from"),
        span.alias("span"),
        (busy / (span * count)).alias("use"),
    )
    return found.filter(pl.col("use").is_not_null())


def _place(trace: Trace, turned: pl.DataFrame) -> int:
    """The gateway whose messages were refused most."""
    counts = turned.group_by("gateway").len().sort("len", "gateway", descending=[True, False])
    return int(counts["gateway"][0])
