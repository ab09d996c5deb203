"""Which nodes fall out of step, by how much and for how long; and the rhythm of blocks.

Lag of a node at time t: t less the time at which the quorum (more than 2/3 of the nodes, equal
weights) had executed the first height that the node has not; 0 if there is none. A node is
desynchronised while its lag exceeds `lag_max`, or while it is crashed; the state is systemic while
more than 1/3 of the nodes are. Everything is computed from the events themselves, not sampled. If
nobody executes, nobody lags: a standstill shows in goodput.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from surgetank.measure.measured import Measure
from surgetank.measure.statistics import KaplanMeier, mean_interval
from surgetank.trace import Trace

__all__ = ["blocks", "crashes", "desynchronised", "desynchronised_spans", "lag_series", "synchrony"]

_NEVER = 2**63 - 1
_MS = 1e6

Spans = pl.DataFrame
Ints = NDArray[np.int64]


def crashes(trace: Trace) -> Spans:
    """node, from_ns, until_ns of every crash.

    From the injected faults where there are any (exact), else from the gauges, where a crash lasts
    from the first sample that finds the node down to the first that finds it up.
    """
    injected = trace["faults"].filter(pl.col("kind") == "crash")
    rows: list[tuple[int, int, int]] = []
    for begin, until, text in injected.select("at_ns", "until_ns", "nodes").iter_rows():
        nodes = [int(k) for k in text.split(",")] if text else range(trace.nodes)
        rows += [(k, min(begin, trace.end_ns), min(until, trace.end_ns)) for k in nodes]
    if not rows:
        changed = (
            trace["gauges"]
            .sort("node", "time_ns")
            .with_columns(before=pl.col("up").shift(1, fill_value=1).over("node"))
            .filter(pl.col("up") != pl.col("before"))
            .with_columns(until=pl.col("time_ns").shift(-1).over("node").fill_null(trace.end_ns))
            .filter(pl.col("up") == 0)
        )
        rows = list(changed.select("node", "time_ns", "until").iter_rows())
    kinds = {"node": pl.UInt32, "from_ns": pl.Int64, "until_ns": pl.Int64}
    return pl.DataFrame(rows, schema=kinds, orient="row")


def desynchronised_spans(trace: Trace, lag_max_ns: int) -> Spans:
    """node, from_ns, until_ns of desynchronisation; per node disjoint and in order."""
    # From a height's own quorum on, whether or not the node still lacks an earlier one: its lag
    # behind that one is the longer.
    lagging = (
        trace.lag()
        .filter(pl.col("quorum_ns").is_not_null())
        .select(
            "node",
            (pl.col("quorum_ns").cast(pl.Int64) + lag_max_ns).alias("from_ns"),
            pl.col("executed_ns").fill_null(trace.end_ns).cast(pl.Int64).alias("until_ns"),
        )
    )
    spans = pl.concat([lagging, crashes(trace)]).filter(pl.col("from_ns") < pl.col("until_ns"))
    node = np.tile(spans["node"].to_numpy().astype(np.int64), 2)
    time = np.concatenate([spans["from_ns"].to_numpy(), spans["until_ns"].to_numpy()])
    step = np.repeat(np.array([1, -1]), spans.height)
    order = np.lexsort((-step, time, node))
    node, time, depth = node[order], time[order], np.cumsum(step[order])
    begins = (depth == 1) & (step[order] == 1)
    ends = depth == 0
    return pl.DataFrame(
        {"node": node[begins], "from_ns": time[begins], "until_ns": time[ends]},
        schema={"node": pl.UInt32, "from_ns": pl.Int64, "until_ns": pl.Int64},
    )


def desynchronised(trace: Trace, lag_max_ns: int) -> pl.DataFrame:
    """The number of desynchronised nodes over time, as steps.

    Columns: time_ns (Int64: from here on), nodes (Int64), share (Float64, of equal weights). The
    first row is at the begin of the measured window, the last at the end of the run.
    """
    begin, end = trace.measured_from_ns, trace.end_ns
    spans = desynchronised_spans(trace, lag_max_ns)
    starts = np.clip(spans["from_ns"].to_numpy(), begin, end)
    stops = np.clip(spans["until_ns"].to_numpy(), begin, end)
    times: Ints = np.unique(np.concatenate([starts, stops, [begin, end]]).astype(np.int64))
    count = np.searchsorted(np.sort(starts), times, side="right") - np.searchsorted(
        np.sort(stops), times, side="right"
    )
    return pl.DataFrame(
        {"time_ns": times, "nodes": count.astype(np.int64), "share": count / trace.nodes}
    )


def lag_series(trace: Trace, step_ns: int) -> pl.DataFrame:
    """Lag of each node every step_ns, for drawing: time_ns, lag_ns (Int64), node (UInt32)."""
    times: Ints = np.arange(0, trace.end_ns + 1, step_ns, dtype=np.int64)
    parts = []
    for (node,), rows in trace.lag().sort("node", "height").group_by("node", maintain_order=True):
        # An end marker: after the last height there is nothing to trail.
        own = rows["executed_ns"].fill_null(_NEVER).cast(pl.Int64).to_numpy()
        quorum = np.append(rows["quorum_ns"].fill_null(_NEVER).cast(pl.Int64).to_numpy(), _NEVER)
        first = np.searchsorted(own, times, side="right")
        behind = np.maximum(times - quorum[first], 0)
        parts.append(
            pl.DataFrame(
                {"time_ns": times, "node": np.full(len(times), node), "lag_ns": behind},
                schema={"time_ns": pl.Int64, "node": pl.UInt32, "lag_ns": pl.Int64},
            )
        )
    kinds = {"time_ns": pl.Int64, "node": pl.UInt32, "lag_ns": pl.Int64}
    return pl.concat(parts) if parts else pl.DataFrame(schema=kinds)


def synchrony(trace: Trace, lag_max_ms: float) -> list[Measure]:
    """desynchronised_share_max, desynchronised_node_seconds, systemic_desync_s, lag_max_ms.

    From the begin of the measured window to the end of the run, drain included: a node that a
    surge left behind is behind until it has caught up.
    """
    what = {
        "desynchronised_share_max": f"most nodes trailing by more than {lag_max_ms:g} ms at once",
        "desynchronised_node_seconds": f"time trailing by more than {lag_max_ms:g} ms, over nodes",
        "systemic_desync_s": "time during which more than a third of the nodes trailed",
        "lag_max_ms": "longest time that any node trailed the quorum",
    }
    unit = {"desynchronised_share_max": "1", "lag_max_ms": "ms"}
    if trace["executions"].is_empty():
        note = "no node executed anything"
        return [Measure(k, None, unit.get(k, "s"), what=w, note=note) for k, w in what.items()]
    steps = desynchronised(trace, int(lag_max_ms * _MS))
    length = np.diff(steps["time_ns"].to_numpy()) / 1e9
    count = steps["nodes"].to_numpy()[:-1]
    ended = pl.col("executed_ns").fill_null(trace.end_ns) >= trace.measured_from_ns
    worst = trace.lag().filter(ended)["lag_ns"].max()
    values = {
        "desynchronised_share_max": float(count.max(initial=0)) / trace.nodes,
        "desynchronised_node_seconds": float((length * count).sum()),
        "systemic_desync_s": float(length[3 * count > trace.nodes].sum()),
        "lag_max_ms": float(worst if isinstance(worst, int) else 0) / _MS,
    }
    return [
        Measure(name, value, unit.get(name, "s"), n=trace.nodes, what=what[name])
        for name, value in values.items()
    ]


def blocks(trace: Trace) -> list[Measure]:
    """block_interval_p50_ms (between first decisions of neighbours) and rounds_mean (1 = first)."""
    what = {
        "block_interval_p50_ms": "half of the blocks were decided at most this long after the last",
        "rounds_mean": "rounds that a height took to decide; 1 is the least",
    }
    rows = (
        trace["blocks"]
        .sort("height")
        .with_columns(gap=pl.col("decided_ns").cast(pl.Int64).diff())
        .filter(pl.col("decided_ns").is_between(trace.measured_from_ns, trace.flow_end_ns))
    )
    gaps = rows["gap"].drop_nulls().to_numpy().astype(np.float64) / _MS
    if not len(gaps):
        note = "fewer than two blocks in the window"
        return [
            Measure(
                "block_interval_p50_ms", None, "ms", what=what["block_interval_p50_ms"], note=note
            ),
            Measure("rounds_mean", None, "1", what=what["rounds_mean"], note=note),
        ]
    gap = KaplanMeier(gaps, np.ones(len(gaps), dtype=np.bool_)).interval(0.5)
    rounds = mean_interval(rows["round"].to_numpy().astype(np.float64) + 1)
    found = (("block_interval_p50_ms", "ms", gap), ("rounds_mean", "1", rounds))
    return [Measure(k, v.value, u, v.low, v.high, v.n, what[k]) for k, u, v in found]
