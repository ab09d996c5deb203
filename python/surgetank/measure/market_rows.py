"""The table `market` in order of time, of which every measure of money reads a part."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from surgetank.trace import MarketKind, Trace
from surgetank.trace.once import once_per_trace

__all__ = ["at_time", "latest", "market_in_order", "market_of"]

Ints = NDArray[np.int64]


@once_per_trace
def market_in_order(trace: Trace) -> pl.DataFrame:
    """The rows by time, of one time as they were written; `time_ns` is Int64."""
    rows = trace["market"].with_columns(pl.col("time_ns").cast(pl.Int64))
    return rows.sort("time_ns", maintain_order=True)


@once_per_trace
def market_of(trace: Trace, *kinds: MarketKind) -> pl.DataFrame:
    """Those rows of `market_in_order` that are of one of these kinds."""
    rows = market_in_order(trace)
    return rows[np.flatnonzero(np.isin(rows["kind"].to_numpy(), kinds))]


def latest(marked: NDArray[np.bool_]) -> Ints:
    """For each row the last marked one up to it; −1 = none so far."""
    return np.maximum.accumulate(np.where(marked, np.arange(len(marked)), -1))


def at_time(series: pl.DataFrame, times_ns: Ints) -> NDArray[np.float64]:
    """The value of a series at each time: that of the last row at or before it; NaN = there is
    none. The series has two columns, time_ns (ascending) and its value."""
    values = series.to_series(1).cast(pl.Float64).fill_null(np.nan).to_numpy()
    row = np.searchsorted(series["time_ns"].to_numpy(), times_ns, side="right") - 1
    found = np.full(len(row), np.nan)
    found[row >= 0] = values[row[row >= 0]]
    return found
