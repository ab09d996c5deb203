"""What delay cost: stale prices, late liquidations, bad debt, and who paid for it.

A liquidation is due when the outside price crosses an account's liquidation price. The episode
ends when the account is liquidated or deleveraged, or when the outside price makes it safe again
(then the delay is censored: nobody knows how long it would have taken). Money counts over the whole
run, from its first moment to its last.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl

from surgetank.measure.bad_debt import bad_debt
from surgetank.measure.cascades import cascade_measures
from surgetank.measure.measured import Measure
from surgetank.measure.shortfall import shortfall
from surgetank.measure.statistics import KaplanMeier, share_interval
from surgetank.trace import MARKET_KINDS, Trace

__all__ = ["due_episodes", "solvency", "staleness"]

_MS = 1e6
_KIND = {name: number for number, name in enumerate(MARKET_KINDS)}


def due_episodes(trace: Trace) -> pl.DataFrame:
    """One row per time that an account became due; its first liquidation order ends it, even one
    that closes only a part.

    Columns: account (UInt32), due_ns, ended_ns (Int64, null = still due at the end of the run),
    how (`liquidated`, `recovered`, or null).
    """
    closing = [_KIND["liquidated"], _KIND["deleveraged"]]
    ending = pl.col("kind") != _KIND["due"]
    time = pl.col("time_ns").cast(pl.Int64)
    return (
        _in_order(trace)
        .filter(pl.col("kind").is_in([_KIND["due"], _KIND["recovered"], *closing]))
        .with_columns(
            pl.when(ending).then(time).backward_fill().over("account").alias("ended_ns"),
            pl.when(ending).then(pl.col("kind")).backward_fill().over("account").alias("end"),
        )
        .filter(pl.col("kind") == _KIND["due"])
        .select(
            "account",
            time.alias("due_ns"),
            "ended_ns",
            pl.when(pl.col("end").is_in(closing))
            .then(pl.lit("liquidated"))
            .when(pl.col("end") == _KIND["recovered"])
            .then(pl.lit("recovered"))
            .alias("how"),
        )
    )


def staleness(trace: Trace) -> pl.DataFrame:
    """time_ns and age_ns (Int64) of the oracle price at every trade and liquidation executed.

    The age counts from the moment the oracle observed the price. Executions before the first
    oracle price are left out.
    """
    executed = [_KIND[k] for k in ("trade", "liquidation-trade", "liquidated")]
    observed = pl.when(pl.col("kind") == _KIND["oracle"]).then(pl.col("ref_ns")).forward_fill()
    return (
        _in_order(trace)
        .with_columns(observed.alias("observed_ns"))
        .filter(pl.col("kind").is_in(executed) & pl.col("observed_ns").is_not_null())
        .filter(pl.col("time_ns") >= trace.measured_from_ns)
        .select(
            "time_ns",
            (pl.col("time_ns").cast(pl.Int64) - pl.col("observed_ns").cast(pl.Int64)).alias(
                "age_ns"
            ),
        )
    )


def solvency(trace: Trace, late_after_ms: float | None) -> list[Measure]:
    """All measures of money and of lateness; none if the scenario has no market."""
    if trace["market"].is_empty():
        return []
    return [
        *_staleness(trace),
        *_liquidations(trace, late_after_ms),
        *_money(trace),
        *bad_debt(trace),
        *cascade_measures(trace),
        *shortfall(trace),
    ]


def _staleness(trace: Trace) -> list[Measure]:
    ages = staleness(trace)["age_ns"].to_numpy().astype(np.float64) / _MS
    found = []
    for name, p in (("staleness_p50_ms", 0.5), ("staleness_p99_ms", 0.99)):
        what = f"{p:.0%} of trades and liquidations met an oracle price at most this old"
        if not len(ages):
            note = "nothing executed against an oracle price"
            found.append(Measure(name, None, "ms", what=what, note=note))
            continue
        q = KaplanMeier(ages, np.ones(len(ages), dtype=np.bool_)).interval(p)
        found.append(Measure(name, q.value, "ms", q.low, q.high, q.n, what))
    return found


def _liquidations(trace: Trace, late_after_ms: float | None) -> list[Measure]:
    rows = due_episodes(trace)
    liquidated = rows["how"].eq_missing(pl.Series(["liquidated"])).to_numpy()
    open_still = rows["how"].is_null().to_numpy()
    length = (
        (rows["ended_ns"].fill_null(trace.end_ns) - rows["due_ns"]).to_numpy().astype(np.float64)
    )
    count = int((trace["market"]["kind"] == _KIND["liquidated"]).sum())
    found = [
        Measure("liquidations", count, "count", n=count, what="liquidations executed"),
        Measure("due", rows.height, "count", n=rows.height, what="times an account became due"),
        Measure(
            "unliquidated",
            int(open_still.sum()),
            "count",
            n=rows.height,
            what="due, and at the end of the run neither closed nor safe again",
        ),
    ]
    found += _lateness(length / _MS, liquidated, open_still, late_after_ms)
    for name, p in (("liquidation_delay_p50_ms", 0.5), ("liquidation_delay_p99_ms", 0.99)):
        what = f"{p:.0%} of due accounts were liquidated at most this long after the price crossed"
        if not rows.height:
            found.append(Measure(name, None, "ms", what=what, note="no account became due"))
            continue
        q = KaplanMeier(length / _MS, liquidated).interval(p)
        censored = rows.height - int(liquidated.sum())
        note = f"{censored} of {rows.height} recovered or still due (censored)" if censored else ""
        found.append(Measure(name, q.value, "ms", q.low, q.high, q.n, what, note))
    return found


def _lateness(
    length_ms: np.ndarray[Any, np.dtype[np.float64]],
    liquidated: np.ndarray[Any, np.dtype[np.bool_]],
    open_still: np.ndarray[Any, np.dtype[np.bool_]],
    late_after_ms: float | None,
) -> list[Measure]:
    what = (
        f"liquidations later than {late_after_ms:g} ms after due, or still owed for longer"
        if late_after_ms is not None
        else "late liquidations"
    )
    share_what = "late ones among accounts liquidated or still due"
    counted = liquidated | open_still
    if late_after_ms is None or not counted.any():
        note = "late_after_ms is not set" if late_after_ms is None else "no account became due"
        count = None if late_after_ms is None else 0.0
        return [
            Measure("late_liquidations", count, "count", what=what, note=note),
            Measure("late_share", None, "1", what=share_what, note=note),
        ]
    late = (length_ms > late_after_ms)[counted]
    share = share_interval(late)
    return [
        Measure("late_liquidations", float(late.sum()), "count", n=share.n, what=what),
        Measure("late_share", share.value, "1", share.low, share.high, share.n, share_what),
    ]


def _money(trace: Trace) -> list[Measure]:
    quantum = float(trace.stats["quantum_usd"])
    notional = float(trace.stats["tick_usd"]) * float(trace.stats["lot"])
    rows = _in_order(trace)
    debt = rows.filter(pl.col("kind") == _KIND["bad-debt"])["amount"].abs()
    balance = rows.filter(pl.col("kind") == _KIND["insurance"])["amount"].to_list()
    margin = (trace.scenario.get("market") or {}).get("margin") or {}
    if "insurance_usd" in margin:
        balance = [round(float(margin["insurance_usd"]) / quantum), *balance]
    drawn = sum(max(0, a - b) for a, b in pairwise(balance))
    closed = rows.filter(pl.col("kind") == _KIND["deleveraged"])
    deleveraged = sum(p * abs(q) for p, q in closed.select("price", "qty").iter_rows())
    return [
        Measure(
            "bad_debt_usd",
            int(debt.sum()) * quantum,
            "USD",
            n=len(debt),
            what="losses beyond the collateral of those who made them",
        ),
        Measure(
            "insurance_drawn_usd",
            drawn * quantum,
            "USD",
            n=len(balance),
            what="paid out by the insurance fund, what it earned not set off",
        ),
        Measure(
            "deleveraged_usd",
            deleveraged * notional,
            "USD",
            n=closed.height,
            what="notional closed against the will of traders on the winning side",
        ),
    ]


def _in_order(trace: Trace) -> pl.DataFrame:
    return trace["market"].sort("time_ns", maintain_order=True)
