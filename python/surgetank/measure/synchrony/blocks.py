"""Block intervals, rounds per block, equivocations of validators."""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from surgetank.measure.measured import Measure
from surgetank.measure.statistics import KaplanMeier, mean_interval
from surgetank.trace import Trace

__all__ = ["blocks"]

_MS: Final = 1e6


def blocks(trace: Trace) -> list[Measure]:
    """block_interval_p50_ms (between first decisions of neighbours) and rounds_mean (1 = first);
    where validators vote, equivocations (of the whole run)."""
    if trace.stats.live is not None and trace["blocks"].is_empty():
        return []  # this target shows none
    return [*_of_the_window(trace), *_equivocations(trace)]


def _equivocations(trace: Trace) -> list[Measure]:
    if trace.stats.live is not None or not trace.scenario.layer.consensus.votes:
        return []
    return [Measure("equivocations", float(trace.stats.equivocations), n=trace["blocks"].height)]


def _of_the_window(trace: Trace) -> list[Measure]:
    rows = (
        trace["blocks"]
        .sort("height")
        .with_columns(gap=pl.col("decided_ns").cast(pl.Int64).diff())
        .filter(pl.col("decided_ns").is_between(trace.measured_from_ns, trace.flow_end_ns))
    )
    gaps = rows["gap"].drop_nulls().to_numpy().astype(np.float64) / _MS
    if not len(gaps):
        note = "fewer than two blocks in the window"
        return [Measure(name, None, note=note) for name in ("block_interval_p50_ms", "rounds_mean")]
    gap = KaplanMeier(gaps, np.ones(len(gaps), dtype=np.bool_)).interval(0.5)
    rounds = mean_interval(rows["round"].to_numpy().astype(np.float64) + 1)
    found = (("block_interval_p50_ms", gap), ("rounds_mean", rounds))
    return [Measure(name, v.value, v.low, v.high, v.n) for name, v in found]
