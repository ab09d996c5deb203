"""Liquidations and bad debt by perpetual, on a venue of several."""

from __future__ import annotations

import polars as pl

from surgetank.measure.market_rows import market_of
from surgetank.trace import MarketKind, Trace

__all__ = ["by_market"]


def by_market(trace: Trace) -> pl.DataFrame:
    """One row per perpetual, in the order of their indices; none without a market.

    Columns: market (UInt16), name (String), liquidations (UInt32: orders that closed something),
    liquidated_usd, bad_debt_usd and deleveraged_usd (Float64). The sums over all perpetuals are
    those of the venue (`liquidations`, `bad_debt_usd`, `deleveraged_usd`). A debt is of the market
    in which the loss arose; a position behind a shared collateral may have lost elsewhere before.
    """
    market = trace.scenario.market
    names = () if market is None else market.names
    found = pl.DataFrame(
        {"market": range(len(names)), "name": names}, {"market": pl.UInt16, "name": pl.String}
    )
    usd = trace.stats.quantum_usd
    notional = (pl.col("price") * pl.col("qty").abs()).sum() * usd
    closed = market_of(trace, MarketKind.LIQUIDATED).filter(pl.col("qty") != 0)
    debts = market_of(trace, MarketKind.BAD_DEBT)
    deleveraged = market_of(trace, MarketKind.DELEVERAGED)
    for rows, sums in (
        (closed, {"liquidations": pl.len(), "liquidated_usd": notional}),
        (debts, {"bad_debt_usd": pl.col("amount").abs().sum() * usd}),
        (deleveraged, {"deleveraged_usd": notional}),
    ):
        summed = rows.group_by(pl.col("market").fill_null(0)).agg(**sums)
        found = found.join(summed, on="market", how="left", maintain_order="left")
    return found.with_columns(pl.exclude("market", "name").fill_null(0))
