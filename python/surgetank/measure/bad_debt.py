"""The share of close-outs that ended in bad debt, from which safe leverage is computed."""

from __future__ import annotations

import numpy as np
import polars as pl

from surgetank.measure.liquidations import UNIT, due_episodes, with_unit
from surgetank.measure.market_rows import at_time_by_market, index_of, latest, market_of
from surgetank.measure.measured import Measure
from surgetank.measure.statistics import share_interval
from surgetank.trace import Bearer, MarketKind, Trace

__all__ = ["bad_debt", "debts", "exhausted", "triggers", "unbooked", "unbooked_usd"]


def triggers(trace: Trace, *, warmup: bool = False) -> pl.DataFrame:
    """One row per liquidation triggered in the measured window, or with `warmup` also before it.

    Columns: account (UInt32), unit (Int32, as in `due_episodes`), due_ns (Int64), bad (Boolean). A
    liquidation is triggered when an account has become due and did not recover before any keeper
    sent an order for it. It is bad if closing the account cost more than its collateral, or if the
    account is still open and the outside price is beyond its bankruptcy price: an account that a
    stopped layer never closed is not thereby solvent. An order that meets a recovered price is a
    trigger without bad debt. A position is bankrupt beyond the bankruptcy price of its row `due`, a
    portfolio where the trace has it underwater.
    """
    episodes = due_episodes(trace)
    touched = pl.col("sent") | pl.col("how").eq_missing(pl.lit("recovered")).not_()
    found = episodes.filter(touched).select(*UNIT, "due_ns").unique(maintain_order=True)
    found = found.sort("due_ns", maintain_order=True)
    debts = with_unit(trace, market_of(trace, MarketKind.BAD_DEBT))
    debts = debts.select(*UNIT, "time_ns").unique()
    # A debt belongs to its account's last trigger before it.
    debts = debts.sort("time_ns").join_asof(
        found.with_columns(at_ns="due_ns"),
        left_on="time_ns",
        right_on="at_ns",
        by=UNIT,
        check_sortedness=False,
    )
    bankrupt = _still_open(trace).filter("bad")
    bad = [frame.select(*UNIT, "due_ns") for frame in (debts.drop_nulls("due_ns"), bankrupt)]
    from_ns = 0 if warmup else trace.measured_from_ns
    return (
        found.filter(found["due_ns"].is_between(from_ns, trace.flow_end_ns))
        .join(
            pl.concat(bad).unique().with_columns(bad=True),
            on=[*UNIT, "due_ns"],
            how="left",
            maintain_order="left",
        )
        .with_columns(pl.col("bad").fill_null(False))
    )


def _still_open(trace: Trace) -> pl.DataFrame:
    """Accounts that became due and were neither closed whole nor recovered, and whether they are
    bankrupt outside: account, unit, due_ns, bad (Boolean)."""
    due, recovered, closed = MarketKind.DUE, MarketKind.RECOVERED, MarketKind.CLOSED
    rows = with_unit(trace, market_of(trace, due, recovered, closed, MarketKind.INDEX))
    outside = rows["kind"] == MarketKind.INDEX
    prices, market = rows["price"].to_numpy().astype(np.float64), index_of(rows)
    row = latest(outside.to_numpy(), market)
    then = np.where(row >= 0, prices[row], np.nan) if len(row) else prices
    # The last outside price of each row's market.
    now = at_time_by_market(
        rows.filter(outside).select("time_ns", "price", "market"),
        rows.with_columns(end=pl.lit(np.iinfo(np.int64).max)),
        "end",
    )
    last = (
        rows.with_columns(outside=then, now=now)
        .filter(~outside & rows["account"].is_not_null())
        .group_by(UNIT, maintain_order=True)
        .last()
        .filter(pl.col("kind") == due)
    )
    # Where no single price makes an account due, its row has 0; the trace records when its equity
    # is below 0.
    worth = market_of(trace, MarketKind.UNDERWATER)
    worth = worth.group_by("account", maintain_order=True).last()
    sunk = worth["account"].filter(worth["amount"] < 0).implode()
    long = pl.col("outside") <= pl.col("price")
    bankrupt = (
        pl.when(pl.col("price") == 0)
        .then(pl.col("account").is_in(sunk))
        .when(long)
        .then(pl.col("now") < pl.col("amount"))
        .otherwise(pl.col("now") > pl.col("amount"))
    )
    return last.select(*UNIT, due_ns="time_ns", bad=bankrupt)


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


def debts(trace: Trace) -> pl.DataFrame:
    """Bad debt booked in the whole run, by who made and who bore it.

    Columns: account (UInt32), market (UInt16, null where no single one is concerned), bearer
    (String, a label of `Bearer`), amount (Int64, quanta, > 0); one row for each of their values.
    """
    labels = dict(enumerate(Bearer.labels()))
    return (
        market_of(trace, MarketKind.BAD_DEBT)
        .group_by("account", "market", "code", maintain_order=True)
        .agg(pl.col("amount").abs().sum())
        .select(
            "account", "market", pl.col("code").replace_strict(labels).alias("bearer"), "amount"
        )
    )


def exhausted(trace: Trace) -> bool:
    """Whether the insurance fund paid its last quantum, or had less than a debt that others bore.

    A loss that winners bear by deleveraging counts only if it was above the fund's balance: a
    position is deleveraged, too, where the book had no buyer for it.
    """
    market = trace.scenario.market
    start_usd = 0.0 if market is None else market.margin.insurance_usd
    rows = market_of(trace, MarketKind.INSURANCE, MarketKind.BAD_DEBT)
    balance = pl.col("kind") == MarketKind.INSURANCE
    left = pl.when(balance).then(pl.col("amount")).forward_fill()
    above = pl.col("amount").abs() > left.fill_null(start_usd / trace.stats.quantum_usd)
    short = rows.select(
        pl.when(balance)
        .then(pl.col("amount") <= 0)
        .when(pl.col("code") == Bearer.DELEVERAGED)
        .then(above)
        .otherwise(pl.col("code") == Bearer.VENUE)
    )
    return bool(short.to_series().any())


def unbooked(trace: Trace) -> pl.DataFrame:
    """Negative equity of each due account at the end of the run: none unless one of them has been
    due since before the drain. In the drain the price still moves and no keeper acts, so that what
    becomes due there says nothing about the venue.

    Columns: account (UInt32), amount (Int64, quanta, > 0).
    """
    open_ = pl.col("ended_ns").is_null() & (pl.col("due_ns") <= trace.flow_end_ns)
    waited = due_episodes(trace).filter(open_)
    rows = list(trace.stats.uncovered) if waited.height else []
    return pl.DataFrame(rows, {"account": pl.UInt32, "amount": pl.Int64}, orient="row")


def unbooked_usd(trace: Trace) -> float:
    """The sum of `unbooked` over all accounts, USD."""
    return sum(unbooked(trace)["amount"]) * trace.stats.quantum_usd
