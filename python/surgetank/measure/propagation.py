"""How fast a message reaches the nodes, and how many copies that costs."""

from __future__ import annotations

import numpy as np
import polars as pl

from surgetank.measure.measured import Measure
from surgetank.measure.statistics import KaplanMeier, share_interval
from surgetank.trace import Trace

__all__ = ["propagation", "spread"]

_MS = 1e6
_REACH = {"propagation_p50": 0.5, "propagation_p99": 0.99, "propagation_full": 1.0}


def spread(trace: Trace) -> pl.DataFrame:
    """Time from admission at the gateway until a share of the nodes has the message.

    One row per message with receipts that was admitted in the measured window: message,
    admitted_ns (UInt64), and propagation_p50_ns, propagation_p99_ns, propagation_full_ns (Int64;
    null = not within the run). The gateway counts as one of the nodes, reached at once.
    """
    sent = (
        trace["messages"]
        .lazy()
        .filter(pl.col("admitted_ns").is_between(trace.measured_from_ns, trace.flow_end_ns))
        .select("message", "gateway", "admitted_ns")
    )
    # Rank among the other nodes' first arrivals. Rounded, as 0.99 * 100 exceeds 99 in floats.
    ranks = {
        name: int(np.ceil(round(share * trace.nodes, 9))) - 1 for name, share in _REACH.items()
    }
    base = pl.col("admitted_ns").cast(pl.Int64)
    since = (pl.col("time_ns").cast(pl.Int64) - base).clip(lower_bound=0)
    return (
        trace["receipts"]
        .lazy()
        .join(sent, on="message")
        .with_columns(pl.when(pl.col("node") != pl.col("gateway")).then(since).alias("since"))
        .sort("message", "since", nulls_last=True)
        .group_by("message")
        .agg(
            pl.col("admitted_ns").first(),
            *(
                pl.col("since").get(rank - 1, null_on_oob=True).alias(f"{name}_ns")
                if rank > 0
                else pl.lit(0, pl.Int64).alias(f"{name}_ns")
                for name, rank in ranks.items()
            ),
        )
        .sort("admitted_ns", "message")
        .collect()
    )


def propagation(trace: Trace) -> list[Measure]:
    """propagation_p50/p99/full_ms, delivered_share and duplicates_per_message.

    propagation_pK_ms is the median over messages of the time until K % of the nodes had it.
    """
    rows = spread(trace)
    found = []
    for name, share in _REACH.items():
        what = f"median time from admission until {share:.0%} of the nodes had the message"
        if rows.is_empty():
            note = "no receipts were kept (trace.receipts_every)"
            found.append(Measure(f"{name}_ms", None, "ms", what=what, note=note))
            continue
        times = rows[f"{name}_ns"]
        reached = times.is_not_null().to_numpy()
        censored = trace.end_ns - rows["admitted_ns"].to_numpy().astype(np.float64)
        known = np.where(reached, times.fill_null(0).to_numpy(), censored)
        q = KaplanMeier(known.astype(np.float64), reached).interval(0.5)
        low, high = (None if x is None else x / _MS for x in (q.low, q.high))
        missed = int((~reached).sum())
        note = f"{missed} of {len(reached)} messages never got so far" if missed else ""
        found.append(Measure(f"{name}_ms", q.value / _MS, "ms", low, high, q.n, what, note))
    return [*found, _delivered(rows), _duplicates(trace)]


def _delivered(rows: pl.DataFrame) -> Measure:
    name, what = "delivered_share", "share of messages that reached every node"
    if rows.is_empty():
        return Measure(name, None, "1", what=what, note="no receipts were kept")
    share = share_interval(rows["propagation_full_ns"].is_not_null().to_numpy())
    return Measure(name, share.value, "1", share.low, share.high, share.n, what)


def _duplicates(trace: Trace) -> Measure:
    what = "copies a node received of a message beyond the first"
    first = trace.stats.get("first_arrivals")
    copies = trace.stats.get("duplicates")
    if not first or copies is None:
        return Measure("duplicates_per_message", None, "1", what=what, note="not counted")
    return Measure("duplicates_per_message", copies / first, "1", n=int(first), what=what)
