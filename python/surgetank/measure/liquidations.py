"""Liquidations: one consistent count, for every measure and chart.

An account is due when it is below maintenance margin at the outside prices. Where its positions do
not share their collateral, each of them is due by itself. The episode ends when the venue closes
something of it, or when the outside prices recover (then the time to liquidation is censored). So

    due                 = due_liquidated + due_recovered + unliquidated late + in time      =
    due_liquidated + unliquidated − due too shortly before the end to decide liquidations        =
    due_liquidated + liquidations_parts + liquidations_not_due due (in the window) =
    liquidations_triggered + recovered before any keeper acted

where liquidations are orders executed that closed something: the first of an episode, further parts
of it, and those of accounts that were due at the venue's mark and not at the outside price. An
order that found no counterparty (`liquidations_empty`) ends nothing.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final

import numpy as np
import polars as pl

from surgetank.measure.market_rows import market_in_order, market_of
from surgetank.measure.measured import Measure
from surgetank.measure.statistics import KaplanMeier, share_interval
from surgetank.trace import MarketKind, Trace
from surgetank.trace.once import once_per_trace

__all__ = [
    "UNIT",
    "Timing",
    "due_episodes",
    "executed_orders",
    "liquidation_measures",
    "reconciled",
    "with_unit",
]

_MS: Final = 1e6
#: What is due and liquidated as a whole: an account, or a position with collateral of its own.
UNIT: Final = ("account", "unit")


class Timing(StrEnum):
    """The timing of a liquidation order in `executed_orders`."""

    IN_TIME = "in time"
    LATE = "late"
    FURTHER_PART = "further part"
    NOT_DUE_OUTSIDE = "not due at the outside price"
    NO_COUNTERPARTY = "no counterparty"


def with_unit(trace: Trace, rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of the table `market`, with the collateral unit of their account in `unit` (Int32): the
    market of its position, −1 if positions in several markets share their collateral.

    An account of the latter kind becomes due in no single market.
    """
    due = market_of(trace, MarketKind.DUE)
    shared = due["account"].filter(due["market"].is_null() & due["account"].is_not_null())
    if trace.scenario.market is None or not trace.scenario.market.perpetuals:
        shared = shared.clear()
    market = pl.col("market").cast(pl.Int32).fill_null(0)
    shares = pl.col("account").is_in(shared.unique().implode())
    return rows.with_columns(unit=pl.when(shares).then(-1).otherwise(market).cast(pl.Int32))


@once_per_trace
def due_episodes(trace: Trace) -> pl.DataFrame:
    """One row per time that an account became due; the first liquidation order that closes some of
    it ends it.

    Columns: account (UInt32), unit (Int32: market of its position, −1 if its positions in several
    markets share their collateral), due_ns, ended_ns (Int64, null = still due at the end of the
    run), how (`liquidated`: closed or deleveraged by the venue, `recovered`, or null), sent
    (Boolean: a keeper sent an order for it while it was due).
    """
    closing = [MarketKind.LIQUIDATED, MarketKind.DELEVERAGED]
    sent = with_unit(trace, market_of(trace, MarketKind.LIQUIDATION_SENT))
    sent = sent.select("account", "unit", due_ns=pl.col("ref_ns").cast(pl.Int64), sent=True)
    ending = pl.col("kind") != MarketKind.DUE
    time = pl.col("time_ns")
    return (
        with_unit(trace, market_in_order(trace))
        .filter(
            pl.col("kind").is_in([MarketKind.DUE, MarketKind.RECOVERED, MarketKind.DELEVERAGED])
            | ((pl.col("kind") == MarketKind.LIQUIDATED) & (pl.col("qty") != 0))
        )
        .with_columns(
            pl.when(ending).then(time).backward_fill().over(UNIT).alias("ended_ns"),
            pl.when(ending).then(pl.col("kind")).backward_fill().over(UNIT).alias("end"),
        )
        .filter(pl.col("kind") == MarketKind.DUE)
        .select(
            *UNIT,
            time.alias("due_ns"),
            "ended_ns",
            pl.when(pl.col("end").is_in(closing))
            .then(pl.lit("liquidated"))
            .when(pl.col("end") == MarketKind.RECOVERED)
            .then(pl.lit("recovered"))
            .alias("how"),
        )
        .join(sent.drop_nulls().unique(), on=[*UNIT, "due_ns"], how="left", maintain_order="left")
        .with_columns(pl.col("sent").fill_null(False))
    )


@once_per_trace
def executed_orders(trace: Trace, late_after_ms: float | None) -> pl.DataFrame:
    """Liquidation orders that were executed: the market's columns, unit as in `due_episodes`, and

    delay_ns (Int64, from due to executed; null if the account was not due), timing (one of
    `Timing`; without a bound none is late).
    """
    delay = pl.col("time_ns") - pl.col("ref_ns").cast(pl.Int64)
    bound = np.inf if late_after_ms is None else late_after_ms * _MS
    closes = pl.col("qty") != 0
    timing = (
        pl.when(~closes)
        .then(pl.lit(Timing.NO_COUNTERPARTY))
        .when(pl.col("ref_ns").is_null())
        .then(pl.lit(Timing.NOT_DUE_OUTSIDE))
        .when(closes.cum_sum().over(*UNIT, "ref_ns") > 1)
        .then(pl.lit(Timing.FURTHER_PART))
        .when(delay > bound)
        .then(pl.lit(Timing.LATE))
        .otherwise(pl.lit(Timing.IN_TIME))
    )
    rows = with_unit(trace, market_of(trace, MarketKind.LIQUIDATED))
    return rows.with_columns(delay.alias("delay_ns"), timing.alias("timing"))


def reconciled(trace: Trace, late_after_ms: float | None) -> str:
    """How the counts of liquidations add up, in a sentence; empty if none was due."""
    rows = due_episodes(trace)
    if rows.is_empty():
        return ""
    how = dict(rows.group_by(pl.col("how").fill_null("still due")).len().iter_rows())
    orders = dict(executed_orders(trace, late_after_ms).group_by("timing").len().iter_rows())
    parts, early = orders.get(Timing.FURTHER_PART, 0), orders.get(Timing.NOT_DUE_OUTSIDE, 0)
    empty = orders.get(Timing.NO_COUNTERPARTY, 0)
    closed = how.get("liquidated", 0)
    first = orders.get(Timing.LATE, 0) + orders.get(Timing.IN_TIME, 0)
    text = (
        f"{rows.height:,} times due: {closed:,} closed, {how.get('recovered', 0):,} recovered, "
        f"{how.get('still due', 0):,} still due. {first + parts + early:,} orders executed: "
        f"{first:,} the first of a due account"
    )
    text += f", {parts:,} further parts" if parts else ""
    text += f", {early:,} due at the venue's mark only" if early else ""
    return text + (f". {empty:,} more found no counterparty." if empty else ".")


def _orders(trace: Trace, late_after_ms: float | None) -> list[Measure]:
    timing = executed_orders(trace, late_after_ms)["timing"]
    empty = int((timing == Timing.NO_COUNTERPARTY).sum())
    n = timing.len() - empty
    counts = {
        "liquidations": n,
        "liquidations_parts": (timing == Timing.FURTHER_PART).sum(),
        "liquidations_not_due": (timing == Timing.NOT_DUE_OUTSIDE).sum(),
        "liquidations_empty": empty,
    }
    return [Measure(name, int(count), n=n) for name, count in counts.items()]


def liquidation_measures(trace: Trace, late_after_ms: float | None) -> list[Measure]:
    """Counts of due accounts, of liquidations by timing, and of lateness (ms)."""
    rows = due_episodes(trace)
    liquidated = rows["how"].eq_missing(pl.Series(["liquidated"])).to_numpy()
    open_still = rows["how"].is_null().to_numpy()
    length = (
        (rows["ended_ns"].fill_null(trace.end_ns) - rows["due_ns"]).to_numpy().astype(np.float64)
    )
    found = _orders(trace, late_after_ms)
    found += [
        Measure("due", rows.height, n=rows.height),
        Measure("due_liquidated", int(liquidated.sum()), n=rows.height),
        Measure("due_recovered", int((rows["how"] == "recovered").sum()), n=rows.height),
        Measure("unliquidated", int(open_still.sum()), n=rows.height),
    ]
    found += _lateness(length / _MS, liquidated, open_still, late_after_ms)
    for name, p in (("liquidation_delay_p50_ms", 0.5), ("liquidation_delay_p99_ms", 0.99)):
        if not rows.height:
            found.append(Measure(name, None, note="no account became due"))
            continue
        q = KaplanMeier(length / _MS, liquidated).interval(p)
        censored = rows.height - int(liquidated.sum())
        # Recovery is treated as censoring independent of the time that closing would have taken.
        note = f"{censored} of {rows.height} recovered or still due (censored)" if censored else ""
        found.append(Measure(name, q.value, q.low, q.high, q.n, note))
    return found


def _lateness(
    length_ms: np.ndarray[Any, np.dtype[np.float64]],
    liquidated: np.ndarray[Any, np.dtype[np.bool_]],
    open_still: np.ndarray[Any, np.dtype[np.bool_]],
    late_after_ms: float | None,
) -> list[Measure]:
    over = length_ms > (np.inf if late_after_ms is None else late_after_ms)
    counted = liquidated | (open_still & over)
    early = int((open_still & ~over).sum())
    if late_after_ms is None:
        note = "market.margin.late_after_ms is not set"
        return [Measure(name, None, note=note) for name in ("late_liquidations", "late_share")]
    note = f"market.margin.late_after_ms is {late_after_ms:g}"
    if early:
        note += f"; {early} due too shortly before the end to decide are left out"
    if not counted.any():
        note += "" if early else "; no account became due"
        return [
            Measure("late_liquidations", 0.0, note=note),
            Measure("late_share", None, note=note),
        ]
    late = over[counted]
    share = share_interval(late)
    return [
        Measure("late_liquidations", float(late.sum()), n=share.n, note=note),
        Measure("late_share", share.value, share.low, share.high, share.n, note),
    ]
