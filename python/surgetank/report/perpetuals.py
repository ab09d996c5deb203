"""What happened on each perpetual of a venue of several, as a table."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from surgetank.measure.liquidations import Timing
from surgetank.measure.market_rows import market_of
from surgetank.measure.markets import by_market
from surgetank.number_format import usd
from surgetank.report.run_view import RunView
from surgetank.trace import MarketKind

__all__ = ["MarketRow", "market_rows"]


@dataclass(frozen=True)
class MarketRow:
    """A perpetual of the table."""

    name: str
    cells: dict[str, str]
    """Texts by column title."""


def market_rows(view: RunView) -> list[MarketRow]:
    """A row for each perpetual; none if there is only one."""
    found = by_market(view.trace)
    if found.height < 2:
        return []
    quantum = view.quantum_usd
    notional = (pl.col("price") * pl.col("qty").abs()).sum() * quantum
    traded = market_of(view.trace, MarketKind.TRADE, MarketKind.LIQUIDATION_TRADE)
    late = view.liquidated.filter(pl.col("timing") == Timing.LATE)
    funding = market_of(view.trace, MarketKind.FUNDING)
    for rows, sums in (
        (traded, {"traded_usd": notional}),
        (late, {"late": pl.len()}),
        (funding, {"funding_usd": pl.col("amount").sum() * quantum}),
    ):
        summed = rows.group_by(pl.col("market").fill_null(0)).agg(**sums)
        found = found.join(summed, on="market", how="left", maintain_order="left")
    paid = funding.height > 0
    return [_row(row, paid=paid) for row in found.fill_null(0).iter_rows(named=True)]


def _row(row: dict[str, float], *, paid: bool) -> MarketRow:
    cells = {
        "Traded": usd(row["traded_usd"]),
        "Liquidations": f"{row['liquidations']:,}",
        "Liquidated late": f"{row['late']:,}",
        "Liquidated": usd(row["liquidated_usd"]),
        "Deleveraged": usd(row["deleveraged_usd"]),
        "Bad debt": usd(row["bad_debt_usd"]),
    }
    if paid:
        cells["Funding paid"] = usd(row["funding_usd"])
    return MarketRow(str(row["name"]), cells)
