"""The table `market` in order of time, of which every measure of money reads a part."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from surgetank.trace import MarketKind, Trace
from surgetank.trace.once import once_per_trace

__all__ = ["at_time", "at_time_by_market", "index_of", "latest", "market_in_order", "market_of"]

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


def index_of(rows: pl.DataFrame) -> NDArray[np.int64]:
    """Market index of each row; 0 where no single market is concerned."""
    return rows["market"].cast(pl.Int64).fill_null(0).to_numpy()


def latest(marked: NDArray[np.bool_], market: Ints) -> Ints:
    """For each row the last marked one of its market up to it; −1 = none so far."""
    found = np.full(len(marked), -1)
    for index in np.unique(market):
        own = np.flatnonzero(market == index)
        found[own] = np.maximum.accumulate(np.where(marked[own], own, -1))
    return found


def at_time(series: pl.DataFrame, times_ns: Ints) -> NDArray[np.float64]:
    """The value of a series at each time: that of the last row at or before it; NaN = there is
    none. The series has two columns, time_ns (ascending) and its value."""
    values = series.to_series(1).cast(pl.Float64).fill_null(np.nan).to_numpy()
    row = np.searchsorted(series["time_ns"].to_numpy(), times_ns, side="right") - 1
    found = np.full(len(row), np.nan)
    found[row >= 0] = values[row[row >= 0]]
    return found


def at_time_by_market(series: pl.DataFrame, rows: pl.DataFrame, time: str) -> NDArray[np.float64]:
    """As `at_time`, for rows with a `market` and a column `time`; the series has time_ns, its value
    and its market."""
    found = np.full(rows.height, np.nan)
    market, times_ns = index_of(rows), rows[time].to_numpy()
    of = index_of(series)
    for index in np.unique(market):
        own = market == index
        found[own] = at_time(series.filter(of == index), times_ns[own])
    return found
