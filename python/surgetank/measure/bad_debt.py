"""How often a close-out ended in bad debt, from which safe leverage is computed."""

from __future__ import annotations

import polars as pl

from surgetank.measure.liquidations import due_episodes
from surgetank.measure.measured import Measure
from surgetank.measure.statistics import share_interval
from surgetank.trace import MarketKind, Trace

__all__ = ["bad_debt", "triggers"]


def triggers(trace: Trace) -> pl.DataFrame:
    """One row per liquidation triggered in the measured window.

    Columns: account (UInt32), due_ns (Int64), bad (Boolean). A liquidation is triggered when an
    account has become due and did not recover before any keeper sent an order for it. It is bad if
    closing the account cost more than its collateral, or if the account is still open and the
    outside price is beyond its bankruptcy price: an account that a stopped layer never closed is
    not thereby
    solvent. An order that meets a recovered price is a trigger without bad debt. Bankruptcy lies at
    P_liq·(1 ∓ m), for a maintenance share m of one linear position; a portfolio is bankrupt where
    the trace has it underwater.
    """
    index = pl.when(pl.col("kind") == MarketKind.INDEX).then(pl.col("price")).forward_fill()
    rows = (
        trace["market"]
        .sort("time_ns", maintain_order=True)
        .with_columns(index.alias("outside"), pl.col("time_ns").cast(pl.Int64))
    )
    still = _still_open(trace, rows)
    episodes = due_episodes(trace)
    touched = pl.col("sent") | pl.col("how").eq_missing(pl.lit("recovered")).not_()
    found = episodes.filter(touched).select("account", "due_ns").unique(maintain_order=True)
    found = found.sort("due_ns", maintain_order=True)
    debts = rows.filter(pl.col("kind") == MarketKind.BAD_DEBT).select("account", "time_ns").unique()
    # A debt belongs to its account's last trigger before it.
    debts = debts.sort("time_ns").join_asof(
        found.with_columns(at_ns="due_ns"),
        left_on="time_ns",
        right_on="at_ns",
        by="account",
        check_sortedness=False,
    )
    bankrupt = still.filter("bad").select("account", "due_ns")
    bad = pl.concat([debts.select("account", "due_ns").drop_nulls(), bankrupt]).unique()
    return (
        found.filter(pl.col("due_ns").is_between(trace.measured_from_ns, trace.flow_end_ns))
        .join(
            bad.with_columns(bad=True), on=["account", "due_ns"], how="left", maintain_order="left"
        )
        .with_columns(pl.col("bad").fill_null(False))
    )


def _still_open(trace: Trace, rows: pl.DataFrame) -> pl.DataFrame:
    """Accounts that became due and were neither closed whole nor recovered, and whether they are
    bankrupt outside."""
    market = trace.scenario.market
    share = 0.0 if market is None else market.margin.maintenance
    ending = [MarketKind.DUE, MarketKind.RECOVERED, MarketKind.CLOSED]
    last = (
        rows.filter(pl.col("kind").is_in(ending) & pl.col("account").is_not_null())
        .group_by("account", maintain_order=True)
        .last()
        .filter(pl.col("kind") == MarketKind.DUE)
    )
    # A portfolio has no single liquidation price (0); the trace records when its equity is below 0.
    worth = rows.filter(pl.col("kind") == MarketKind.UNDERWATER)
    worth = worth.group_by("account", maintain_order=True).last()
    sunk = worth.filter(pl.col("amount") < 0)["account"].implode()
    prices = rows.filter(pl.col("kind") == MarketKind.INDEX)["price"]
    now = float(prices[-1]) if len(prices) else float("nan")
    long = pl.col("outside") <= pl.col("price")
    bankrupt = (
        pl.when(pl.col("price") == 0)
        .then(pl.col("account").is_in(sunk))
        .when(long)
        .then(now < pl.col("price") * (1 - share))
        .otherwise(now > pl.col("price") * (1 + share))
    )
    return last.select("account", due_ns="time_ns", bad=bankrupt)


def bad_debt(trace: Trace) -> list[Measure]:
    """liquidations_triggered, bad_debts, bad_debt_share."""
    found = triggers(trace)
    bad = found["bad"].to_numpy()
    n, count = len(bad), int(bad.sum())
    head = [
        Measure(name, value, n=n)
        for name, value in (("liquidations_triggered", n), ("bad_debts", count))
    ]
    name = "bad_debt_share"
    if not n:
        return [*head, Measure(name, None, note="no liquidation was triggered")]
    share = share_interval(bad)
    return [*head, Measure(name, share.value, share.low, share.high, n)]
