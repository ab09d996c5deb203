"""What happened to the accounts of a user's position book."""

from __future__ import annotations

import numpy as np
import polars as pl

from surgetank.measure.market_rows import market_of
from surgetank.trace import MarketKind, Trace

__all__ = ["book_accounts"]


def book_accounts(trace: Trace) -> pl.DataFrame | None:
    """One row per margin account of the book that became due or lost more than its collateral,
    those with the largest loss first, then in order of time; None if the run has no book, or it is
    not at hand.

    Columns: account (the number in the trace), label (of the user's file), equity_usd, notional_usd
    and leverage at the start (infinite without equity), due_s (null: never due), liquidated_s
    (its first liquidation), closed_s (its last position was closed by one), bad_debt_usd,
    uncovered_usd (negative equity at the end of the run, not yet booked), and assets_usd and
    sold_usd: the value of its collateral assets at the start, part of the equity, and what it got
    for those that were sold.
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
        "bad_debt_usd": _sums(trace, MarketKind.BAD_DEBT, "bad_debt_usd", quantum_usd),
        "uncovered_usd": _uncovered(trace),
        "sold_usd": _sums(trace, MarketKind.COLLATERAL_SOLD, "sold_usd", quantum_usd),
    }
    assets = np.zeros(len(book.accounts))
    for held in book.assets:
        assets[held.account] += held.value_usd
    accounts = accounts.with_columns(pl.Series("assets_usd", assets))
    for frame in found.values():
        accounts = accounts.join(frame, on="account", how="left", maintain_order="left")
    amounts = ("bad_debt_usd", "uncovered_usd", "sold_usd")
    last = pl.exclude("assets_usd", "sold_usd"), "assets_usd", "sold_usd"
    accounts = accounts.with_columns(pl.col(amounts).fill_null(0.0)).select(last)
    lost = pl.col("bad_debt_usd") + pl.col("uncovered_usd")
    touched = accounts.filter(pl.col("due_s").is_not_null() | (lost > 0))
    return touched.sort(lost, "due_s", "account", descending=[True, False, False])


def _sums(trace: Trace, kind: MarketKind, name: str, quantum_usd: float) -> pl.DataFrame:
    """Sum of the amounts of an account's rows of this kind, USD."""
    usd = (pl.col("amount").sum() * quantum_usd).alias(name)
    return market_of(trace, kind).group_by("account").agg(usd)


def _uncovered(trace: Trace) -> pl.DataFrame:
    schema = {"account": pl.UInt32, "uncovered_usd": pl.Float64}
    usd = trace.stats.quantum_usd
    rows = [(account, short * usd) for account, short in trace.stats.uncovered]
    return pl.DataFrame(rows, schema=schema, orient="row")


def _times(trace: Trace, kind: MarketKind, which: pl.Expr) -> pl.DataFrame:
    name = f"{kind.name.lower()}_s"
    return market_of(trace, kind).group_by("account").agg((which / 1e9).alias(name))
