"""Block space, and time lost to consensus rounds that fail."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from surgetank.measure.saturation.resource_use import SECOND, Saturation, window_ns
from surgetank.trace import Trace

__all__ = ["block_space", "consensus_timeouts"]

#: Rounds fail per height; a single height gives no meaningful share.
_HEIGHTS: Final = 10

Ints = NDArray[np.int64]


def block_space(trace: Trace) -> Iterator[Saturation]:
    """Messages (or bytes) in blocks over the most that a block holds, over the busiest window.

    A block is full in bytes when the largest message of the run might not have fitted. Nothing, if
    the engine makes as many blocks as needed: then there is no bound.
    """
    bounds = trace.scenario.layer.consensus.block_bounds
    if bounds is None:
        return
    count_max, bytes_max = bounds
    rows = trace["blocks"].filter(pl.col("decided_ns") >= trace.measured_from_ns).sort("height")
    if rows.is_empty():
        return
    size = rows["size_bytes"].to_numpy().astype(np.float64)
    largest = trace["messages"]["size_bytes"].max() or 0
    full = (size + float(largest) > bytes_max) & (size > 0)  # type: ignore[arg-type]
    fill = rows["messages"].to_numpy() / count_max
    fill = np.minimum(np.maximum(fill, np.where(full, 1.0, size / bytes_max)), 1.0)
    time: Ints = rows["decided_ns"].cast(pl.Int64).to_numpy()
    window = window_ns(trace)
    first = np.searchsorted(time, time - window, side="right")
    total = np.concatenate([[0.0], np.cumsum(fill)])
    last = np.arange(1, len(time) + 1)
    mean = (total[last] - total[first]) / (last - first)
    worst = int(np.argmax(np.round(mean, 9)))
    blocks = last[worst] - first[worst]
    at_s = max(0, int(time[worst]) - window) / SECOND
    what = f"blocks were {mean[worst]:.0%} full ({blocks} in the busiest {window / SECOND:.2g} s)"
    value = min(1.0, float(mean[worst]))
    yield Saturation("block-space", "blocks", value, max(value, float(fill.max())), at_s, what)


def consensus_timeouts(trace: Trace) -> Iterator[Saturation]:
    """Share of time spent on heights that took more than one round, over ten block intervals (at
    least a second). A height's time begins when half of the nodes have executed the one before.

    A chain without progress for longer than a first round's timeouts counts as such a height.
    """
    round_ms = trace.scenario.layer.consensus.round_ms
    if round_ms is None:
        return
    spans = _lost(trace, round_ms)
    begin, end = trace.measured_from_ns, max(trace.end_ns, trace.measured_from_ns + 1)
    starts, stops = (np.clip(spans[c].to_numpy(), begin, end) for c in ("from_ns", "until_ns"))
    window = min(max(SECOND, _HEIGHTS * window_ns(trace)), end - begin)
    value, at = _covered(starts, stops, window, begin, end)
    peak, _ = _covered(starts, stops, min(SECOND, window), begin, end)
    failed = int((stops > starts).sum())
    what = f"{value:.0%} of {window / SECOND:.2g} s went to heights that took more than one round"
    what += f"; there were {failed}"
    yield Saturation("consensus-timeouts", "blocks", value, max(value, peak), at / SECOND, what)


def _lost(trace: Trace, round_ms: float) -> pl.DataFrame:
    """from_ns, until_ns (Int64) of heights that took more than one round, and of a standstill."""
    executed = (
        trace["executions"]
        .group_by("height")
        .agg(pl.col("executed_ns").cast(pl.Int64).median().alias("begun_ns"))
    )
    blocks = (
        trace["blocks"]
        .sort("height")
        .select("height", "round", pl.col("decided_ns").cast(pl.Int64))
        .join(executed, on="height", how="left", maintain_order="left")
        .with_columns(before=pl.max_horizontal("begun_ns", "decided_ns").shift(1, fill_value=0))
    )
    lost = blocks.filter(pl.col("round") > 0).select(
        pl.min_horizontal(pl.col("before").cast(pl.Int64), "decided_ns").alias("from_ns"),
        pl.col("decided_ns").alias("until_ns"),
    )
    last = blocks["begun_ns"][-1] if blocks.height else 0
    if last is not None and trace.end_ns - last > max(round_ms * 1e6, SECOND):
        tail = {"from_ns": [int(last)], "until_ns": [trace.end_ns]}
        lost = pl.concat([lost, pl.DataFrame(tail, schema=lost.schema)])
    return lost


def _covered(starts: Ints, stops: Ints, window: int, begin: int, end: int) -> tuple[float, float]:
    """Greatest share of a window that the spans (disjoint, in order) cover, and its begin."""
    if not len(starts):
        return 0.0, float(begin)
    edges = np.stack([starts, stops], axis=1).reshape(-1).astype(np.float64)
    done = np.cumsum(np.stack([np.zeros(len(starts)), stops - starts], axis=1).reshape(-1))
    froms = np.clip(np.concatenate([starts, stops - window]), begin, max(begin, end - window))
    froms = np.unique(froms).astype(np.float64)
    share = (np.interp(froms + window, edges, done) - np.interp(froms, edges, done)) / window
    worst = int(np.argmax(np.round(share, 9)))
    return float(min(1.0, share[worst])), float(froms[worst])
