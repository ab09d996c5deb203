"""Cascades: liquidations that were made due by other liquidations.

A liquidation begins when the venue's mark moves an account below maintenance margin and ends with
the orders that close it. Its cause is the liquidation whose fills moved the mark through its
trigger (`crates/lab/src/exchange/pressure.rs`); it has none if the mark had been through the
trigger without any liquidation's pressure. One cause each, so causes make trees. A cascade is a
tree of two or more; without price impact there is none.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from surgetank.measure.liquidations import UNIT, with_unit
from surgetank.measure.market_rows import market_of
from surgetank.measure.measured import Measure
from surgetank.measure.statistics import ratio_interval
from surgetank.trace import MarketKind, Trace

__all__ = ["cascade_measures", "causes"]


def causes(trace: Trace) -> pl.DataFrame:
    """One row per liquidation, in the order in which they began to be executed.

    Columns: account (UInt32); called_ns (Int64; null: not by a move of the mark); executed_ns
    (Int64), of its first order that closed anything; cause (Int64: row of the liquidation that
    made it due, null = none); generation (Int64, 0 = no cause); cascade (Int64: row of the first
    of its tree).
    """
    rows = market_of(trace, MarketKind.MARGIN_CALL, MarketKind.LIQUIDATED)
    rows = with_unit(trace, rows).with_row_index("at")
    calls = rows.filter(pl.col("kind") == MarketKind.MARGIN_CALL).select(
        *UNIT, "at", called_ns="time_ns", call="at", called_in="market", by="other", by_ns="ref_ns"
    )
    orders = (
        rows.filter((pl.col("kind") == MarketKind.LIQUIDATED) & (pl.col("qty") != 0))
        .select(*UNIT, "at", "market", executed_ns="time_ns")
        .join_asof(calls, on="at", by=UNIT, check_sortedness=False)
    )
    begun = orders.group_by(*UNIT, "call", maintain_order=True).first().sort("at")
    began = zip(*begun[*UNIT, "call"], strict=True)
    row_of = {key: row for row, key in enumerate(began)}
    # A liquidation moves the outside price of its own market.
    executed = {
        (account, market, at_ns): row_of[account, unit, call]
        for account, unit, market, at_ns, call in zip(
            *orders[*UNIT, "market", "executed_ns", "call"], strict=True
        )
    }
    by = zip(*begun["by", "called_in", "by_ns"], strict=True)
    cause = [executed.get(key) for key in by]
    generation, first = [0] * len(cause), list(range(len(cause)))
    for row, parent in enumerate(cause):
        # A cause was executed before what it caused was called.
        if parent is not None:
            generation[row], first[row] = generation[parent] + 1, first[parent]
    return begun.select("account", "called_ns", "executed_ns").with_columns(
        pl.Series("cause", cause, dtype=pl.Int64),
        pl.Series("generation", generation, dtype=pl.Int64),
        pl.Series("cascade", first, dtype=pl.Int64),
    )


def cascade_measures(trace: Trace) -> list[Measure]:
    """Branching ratio, and number, size and depth of cascades.

    The branching ratio is children per liquidation, which in finite trees is the share of
    liquidations that have a cause (Harris, *The Theory of Branching Processes*, 1963: towards 1
    cascades become as large as there are accounts). Its interval takes trees as independent.
    """
    found = causes(trace)
    trees = found.group_by("cascade", maintain_order=True).agg(
        size=pl.len(), caused=pl.col("cause").count(), deepest=pl.col("generation").max()
    )
    cascades = trees.filter(pl.col("size") > 1)
    note = _note(trace)
    branching = Measure("branching_ratio", None, note=note)
    if found.height:
        above, below = (trees[c].to_numpy().astype(np.float64) for c in ("caused", "size"))
        ratio = ratio_interval(above, below)
        high = None if ratio.high is None else min(1.0, ratio.high)
        # Trees of equal size give no estimate of variance.
        low, high = (None, None) if ratio.low == ratio.high else (ratio.low, high)
        branching = Measure("branching_ratio", ratio.value, low, high, ratio.n, note)

    def most(column: str) -> float:
        return float(cascades[column].max() or 0) if cascades.height else 0.0  # type: ignore[arg-type]

    return [
        branching,
        Measure("cascades", float(cascades.height), n=found.height),
        Measure("cascade_size_max", most("size"), n=cascades.height),
        Measure("cascade_generations_max", most("deepest"), n=cascades.height),
    ]


def _note(trace: Trace) -> str:
    market = trace.scenario.market
    if market is not None and market.mark == "median":
        return "the effect of liquidations on the mark through the venue's own book is not counted"
    return ""
