"""Cost of latency: stale prices, late liquidations, bad debt, and its bearers.

Money counts over the whole run, from its begin to its end.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from surgetank.measure.bad_debt import bad_debt
from surgetank.measure.cascades import cascade_measures
from surgetank.measure.liquidations import liquidation_measures
from surgetank.measure.market_rows import index_of, latest, market_of
from surgetank.measure.measured import Measure
from surgetank.measure.shortfall import shortfall
from surgetank.measure.statistics import KaplanMeier
from surgetank.trace import Bearer, MarketKind, Trace

__all__ = ["solvency", "staleness"]

_MS = 1e6


def staleness(trace: Trace) -> pl.DataFrame:
    """time_ns and age_ns (Int64) of its market's oracle price at every trade and liquidation
    executed.

    The age counts from the moment the oracle observed the price. Executions before the first
    oracle price are left out.
    """
    executed = (MarketKind.TRADE, MarketKind.LIQUIDATION_TRADE, MarketKind.LIQUIDATED)
    rows = market_of(trace, MarketKind.ORACLE, *executed)
    oracle = (rows["kind"] == MarketKind.ORACLE).to_numpy()
    time_ns, observed_ns = (rows[c].fill_null(0).to_numpy() for c in ("time_ns", "ref_ns"))
    price = latest(oracle, index_of(rows))
    kept = ~oracle & (price >= 0) & (time_ns >= trace.measured_from_ns)
    age_ns = time_ns[kept] - observed_ns[price[kept]].astype(np.int64)
    return pl.DataFrame({"time_ns": time_ns[kept], "age_ns": age_ns})


def solvency(trace: Trace, late_after_ms: float | None) -> list[Measure]:
    """All measures of money and of lateness; none if the scenario has no market."""
    if trace["market"].is_empty():
        return []
    return [
        *_staleness(trace),
        *liquidation_measures(trace, late_after_ms),
        *_money(trace),
        *bad_debt(trace),
        *cascade_measures(trace),
        *shortfall(trace),
    ]


def _staleness(trace: Trace) -> list[Measure]:
    ages = staleness(trace)["age_ns"].to_numpy().astype(np.float64) / _MS
    found = []
    for name, p in (("staleness_p50_ms", 0.5), ("staleness_p99_ms", 0.99)):
        if not len(ages):
            note = "nothing executed against an oracle price"
            found.append(Measure(name, None, note=note))
            continue
        q = KaplanMeier(ages, np.ones(len(ages), dtype=np.bool_)).interval(p)
        found.append(Measure(name, q.value, q.low, q.high, q.n))
    return found


def _money(trace: Trace) -> list[Measure]:
    quantum = trace.stats.quantum_usd
    notional = trace.stats.tick_usd * trace.stats.lot
    debts = market_of(trace, MarketKind.BAD_DEBT)
    drawn = debts["amount"].filter(debts["code"] == Bearer.INSURANCE)
    closed = market_of(trace, MarketKind.DELEVERAGED)
    deleveraged = sum(p * abs(q) for p, q in zip(closed["price"], closed["qty"], strict=True))
    return [
        Measure("bad_debt_usd", int(debts["amount"].abs().sum()) * quantum, n=debts.height),
        Measure("insurance_drawn_usd", abs(int(drawn.sum())) * quantum, n=len(drawn)),
        Measure("deleveraged_usd", deleveraged * notional, n=closed.height),
        *_funding(trace),
    ]


def _funding(trace: Trace) -> list[Measure]:
    payments = market_of(trace, MarketKind.FUNDING)
    if payments.is_empty():
        return []
    paid = int(payments["amount"].sum()) * trace.stats.quantum_usd
    return [Measure("funding_paid_usd", paid, n=payments.height)]
