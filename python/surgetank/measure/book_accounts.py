"""What happened to the accounts of a user's position book."""

from __future__ import annotations

import polars as pl

from surgetank.measure.market_rows import market_of
from surgetank.trace import MarketKind, Trace

__all__ = ["book_accounts"]


def book_accounts(trace: Trace) -> pl.DataFrame | None:
    """One row per margin account of the book that became due or lost more than its collateral, most
    bad debt first, then in order of time; None if the run has no book, or it is not at hand.

    Columns: account (the number in the trace), label (of the user's file), equity_usd, notional_usd
    and leverage at the start (infinite without equity), due_s (null: never due), liquidated_s
    (its first liquidation), closed_s (its last position was closed by one) and bad_debt_usd.
    """
    book, market = trace.scenario.position_book, trace.scenario.market
    if book is None or market is None:
        return None
    quantum_usd = market.tick_usd * market.lot
    gross = book.by_account(abs(book.notional_usd))
    accounts = pl.DataFrame(
        {
            "account": pl.Series(range(len(book.accounts)), dtype=pl.UInt32),
            "label": [account.label for account in book.accounts],
            "equity_usd": book.equity_usd,
            "notional_usd": gross,
            "leverage": book.leverage,
        }
    )
    found = {
        "due_s": _times(trace, MarketKind.DUE, pl.col("time_ns").min()),
        "liquidated_s": _times(trace, MarketKind.LIQUIDATED, pl.col("time_ns").min()),
        "closed_s": _times(trace, MarketKind.CLOSED, pl.col("time_ns").max()),
        "bad_debt_usd": market_of(trace, MarketKind.BAD_DEBT)
        .group_by("account")
        .agg((pl.col("amount").sum() * quantum_usd).alias("bad_debt_usd")),
    }
    for frame in found.values():
        accounts = accounts.join(frame, on="account", how="left", maintain_order="left")
    accounts = accounts.with_columns(pl.col("bad_debt_usd").fill_null(0.0))
    touched = pl.col("due_s").is_not_null() | (pl.col("bad_debt_usd") > 0)
    order = ["bad_debt_usd", "due_s", "account"]
    return accounts.filter(touched).sort(order, descending=[True, False, False])


def _times(trace: Trace, kind: MarketKind, which: pl.Expr) -> pl.DataFrame:
    name = f"{kind.name.lower()}_s"
    return market_of(trace, kind).group_by("account").agg((which / 1e9).alias(name))
