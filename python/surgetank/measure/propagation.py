"""Time until a message has reached the nodes, and the number of copies sent."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from surgetank.measure.measured import Measure
from surgetank.measure.statistics import KaplanMeier, share_interval
from surgetank.trace import Trace

__all__ = ["propagation", "spread"]

_MS = 1e6
Ints = NDArray[np.int64]

_NEVER: Final = np.iinfo(np.int64).max
#: Cells of the table that is sorted in one call.
_CELLS: Final = 4_000_000
_REACH = {"propagation_p50": 0.5, "propagation_p99": 0.99, "propagation_full": 1.0}


def spread(trace: Trace) -> pl.DataFrame:
    """Time from admission at the gateway until a share of the nodes has the message.

    One row per message with receipts that was admitted in the measured window: message,
    admitted_ns (UInt64), and propagation_p50_ns, propagation_p99_ns, propagation_full_ns (Int64;
    null = not within the run). The gateway counts as one of the nodes, reached at once.
    """
    sent = (
        trace["messages"]
        .filter(pl.col("admitted_ns").is_between(trace.measured_from_ns, trace.flow_end_ns))
        .select("message", "gateway", "admitted_ns")
        .sort("admitted_ns", "message")
    )
    receipts = trace["receipts"].select("message", "node", "time_ns")
    row = _row_of(receipts["message"].to_numpy(), sent["message"].to_numpy())
    if not receipts["message"].is_sorted():
        order = np.argsort(row, kind="stable")
        row, receipts = row[order], receipts[order]
    row, receipts = row[row >= 0], receipts.filter(row >= 0)
    begins = np.flatnonzero(np.diff(row, prepend=-1))
    order = np.argsort(row[begins], kind="stable")
    counts = np.diff(begins, append=len(row))[order]
    begins, kept = begins[order], sent[row[begins[order]]]
    # Rank among the other nodes' first arrivals. Rounded, as 0.99 * 100 exceeds 99 in floats.
    ranks = [int(np.ceil(round(share * trace.nodes, 9))) - 1 for share in _REACH.values()]
    times = _ranked(receipts, kept, begins, counts, [rank - 1 for rank in ranks])
    columns = [
        pl.Series(f"{name}_ns", np.zeros(len(kept), np.int64) if rank <= 0 else column)
        for name, rank, column in zip(_REACH, ranks, times.T, strict=True)
    ]
    never = [pl.when(pl.col(c.name) != _NEVER).then(pl.col(c.name)) for c in columns]
    return kept.select("message", "admitted_ns").with_columns(columns).with_columns(never)


def _row_of(message: NDArray[Any], sent: NDArray[Any]) -> Ints:
    """The row of `sent` of each message; −1 = it is not among them."""
    table = np.full(1 + int(max(message.max(initial=0), sent.max(initial=0))), -1, np.int64)
    table[sent] = np.arange(len(sent))
    found: Ints = table[message]
    return found


def _ranked(
    receipts: pl.DataFrame, sent: pl.DataFrame, begins: Ints, counts: Ints, ranks: list[int]
) -> Ints:
    """When so many nodes beside the gateway had each message, ns after its admission.

    Row i of `sent` has `counts[i]` receipts from row `begins[i]` on. Shape (len(sent), len(ranks));
    `_NEVER` where fewer nodes had it.
    """
    node, time_ns = receipts["node"].to_numpy(), receipts["time_ns"].to_numpy().astype(np.int64)
    gateway, base = sent["gateway"].to_numpy(), sent["admitted_ns"].to_numpy().astype(np.int64)
    found = np.full((len(sent), len(ranks)), _NEVER)
    width = max(1, int(counts.max(initial=1)), *(rank + 1 for rank in ranks))
    for first in range(0, len(sent), max(1, _CELLS // width)):
        rows = slice(first, first + max(1, _CELLS // width))
        count = counts[rows]
        own = np.repeat(np.arange(len(count)), count)
        place = np.arange(len(own)) - np.repeat(np.cumsum(count) - count, count)
        at = np.repeat(begins[rows], count) + place
        since = np.full((len(count), width), _NEVER)
        others = node[at] != gateway[rows][own]
        after = np.maximum(time_ns[at] - base[rows][own], 0)
        since[own, place] = np.where(others, after, _NEVER)
        since.partition([max(rank, 0) for rank in ranks], axis=1)
        found[rows] = since[:, ranks]
    return found


def propagation(trace: Trace) -> list[Measure]:
    """propagation_p50/p99/full_ms, delivered_share and duplicates_per_message.

    propagation_pK_ms is the median over messages of the time until K % of the nodes had it.
    """
    rows = spread(trace)
    found = []
    for name in _REACH:
        if rows.is_empty():
            note = "no receipts were recorded (trace.receipts_every)"
            found.append(Measure(f"{name}_ms", None, note=note))
            continue
        times = rows[f"{name}_ns"]
        reached = times.is_not_null().to_numpy()
        censored = trace.end_ns - rows["admitted_ns"].to_numpy().astype(np.float64)
        known = np.where(reached, times.fill_null(0).to_numpy(), censored)
        q = KaplanMeier(known.astype(np.float64), reached).interval(0.5)
        low, high = (None if x is None else x / _MS for x in (q.low, q.high))
        missed = int((~reached).sum())
        note = f"{missed} of {len(reached)} messages never reached so many" if missed else ""
        found.append(Measure(f"{name}_ms", q.value / _MS, low, high, q.n, note))
    return [*found, _delivered(rows), _duplicates(trace)]


def _delivered(rows: pl.DataFrame) -> Measure:
    name = "delivered_share"
    if rows.is_empty():
        return Measure(name, None, note="no receipts were recorded")
    share = share_interval(rows["propagation_full_ns"].is_not_null().to_numpy())
    return Measure(name, share.value, share.low, share.high, share.n)


def _duplicates(trace: Trace) -> Measure:
    first = trace.stats.first_arrivals
    copies = trace.stats.duplicates
    if not first or copies is None:
        return Measure("duplicates_per_message", None, note="the target does not report it")
    return Measure("duplicates_per_message", copies / first, n=int(first))
