"""How often closing an account out left a debt behind: what safe leverage is about."""

from __future__ import annotations

import polars as pl

from surgetank.measure.measured import Measure
from surgetank.measure.statistics import share_interval
from surgetank.trace import MARKET_KINDS, Trace

__all__ = ["bad_debt", "close_outs"]

_KIND = {name: number for number, name in enumerate(MARKET_KINDS)}


def close_outs(trace: Trace) -> pl.DataFrame:
    """One row per account that was liquidated, deleveraged or is due at the end of the run.

    Columns: account (UInt32), bad (Boolean). An account is bad if closing it cost more than its
    collateral, or if it is still open and the outside price is beyond its bankruptcy price: what a
    stopped layer never closed is not thereby solvent. Bankruptcy lies at P_liq·(1 ∓ m), for a
    maintenance share m of one linear position (research: dYdX v4 `x/subaccounts`).
    """
    index = pl.when(pl.col("kind") == _KIND["index"]).then(pl.col("price")).forward_fill()
    rows = trace["market"].sort("time_ns", maintain_order=True).with_columns(index.alias("outside"))
    ends = [_KIND[k] for k in ("liquidated", "deleveraged", "bad-debt")]
    ended = rows.filter(pl.col("kind").is_in(ends))
    closed = ended.filter(pl.col("kind") != _KIND["deleveraged"])
    bad = closed.group_by("account").agg(bad=(pl.col("kind") == _KIND["bad-debt"]).any())
    found = pl.concat([bad, _still_open(trace, rows)])
    return found.group_by("account").agg(pl.col("bad").any()).sort("account")


def _still_open(trace: Trace, rows: pl.DataFrame) -> pl.DataFrame:
    """Accounts whose last word is that they are due, and whether they are bankrupt outside."""
    margin = (trace.scenario.get("market") or {}).get("margin") or {}
    share = float(margin.get("maintenance", 0.0))
    ending = [_KIND[k] for k in ("due", "recovered", "liquidated", "deleveraged")]
    last = (
        rows.filter(pl.col("kind").is_in(ending) & pl.col("account").is_not_null())
        .group_by("account", maintain_order=True)
        .last()
        .filter((pl.col("kind") == _KIND["due"]) & (pl.col("price") > 0))
    )
    prices = rows.filter(pl.col("kind") == _KIND["index"])["price"]
    now = float(prices[-1]) if len(prices) else float("nan")
    long = pl.col("outside") <= pl.col("price")
    bankrupt = (
        pl.when(long)
        .then(now < pl.col("price") * (1 - share))
        .otherwise(now > pl.col("price") * (1 + share))
    )
    return last.select("account", bad=bankrupt)


def bad_debt(trace: Trace) -> list[Measure]:
    """closed_out, bad_debts, bad_debt_share."""
    found = close_outs(trace)
    what = {
        "closed_out": "accounts liquidated, or due and still open at the end",
        "bad_debts": "of these, accounts whose losses exceeded their collateral",
        "bad_debt_share": "share of accounts closed out that left a debt behind",
    }
    bad = found["bad"].fill_null(False).to_numpy()
    n, count = len(bad), int(bad.sum())
    head = [
        Measure("closed_out", n, "count", n=n, what=what["closed_out"]),
        Measure("bad_debts", count, "count", n=n, what=what["bad_debts"]),
    ]
    if not n:
        note = "no account was closed out"
        return [*head, Measure("bad_debt_share", None, "1", what=what["bad_debt_share"], note=note)]
    share = share_interval(bad)
    low, high = share.low, share.high
    return [
        *head,
        Measure("bad_debt_share", share.value, "1", low, high, n, what["bad_debt_share"]),
    ]
