"""Gains and losses by group, in whole quanta of money: every column sums to zero.

The lab records the ledger (`crates/lab/src/exchange/ledger.rs`) and writes them into the trace's
stats; here they become a table and measures. A live trace has none.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Final

import polars as pl

from surgetank.measure.measured import Measure
from surgetank.trace import Trace

__all__ = ["COLUMNS", "ledger", "ledger_measures"]

COLUMNS: Final[dict[str, str]] = {
    "edge": "trades against the outside price at their time",
    "fees": "of trades, liquidations, messages, bonds and the express lane",
    "relief": "debts borne by others",
    "funding": "payments between longs and shorts",
    "held": "gains of positions from moves of the outside price",
    "total": "sum of the five: value at the end less value at the start",
}


def ledger(trace: Trace) -> pl.DataFrame:
    """One row per group: group (String) and edge, fees, relief, funding, held, total (Int64,
    quanta).

    A gain is positive. In each row the first five sum to the total; each column sums to zero.
    Empty if the trace has no ledger (no market, or a live run).
    """
    schema = {"group": pl.String} | dict.fromkeys(COLUMNS, pl.Int64)
    return pl.DataFrame([asdict(line) for line in trace.stats.ledger], schema=schema)


def ledger_measures(trace: Trace) -> list[Measure]:
    """`ledger_usd.<group>`: each group's total, in USD; none without a ledger."""
    rows = ledger(trace)
    quantum = trace.stats.quantum_usd
    return [
        Measure(f"ledger_usd.{row['group']}", row["total"] * quantum, n=1)
        for row in rows.iter_rows(named=True)
    ]
