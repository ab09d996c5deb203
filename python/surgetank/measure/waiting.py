"""Attribution: each nanosecond of a message's latency, charged to a resource.

Stages say where a message was; attribution says what it waited for (docs/attribution.md). The
charges are made in the simulation and sum exactly to the latency. Live runs have none.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from surgetank.measure.liquidations import Timing, executed_orders
from surgetank.measure.measured import Measure
from surgetank.trace import CLASSES, WAITS, Trace
from surgetank.trace.once import once_per_trace

__all__ = ["COMPUTATION", "by_class", "late", "places", "shares", "waiting", "waits"]

COMPUTATION: Final = (
    "validation_own",
    "validation_others",
    "consensus",
    "execution_own",
    "execution_others",
)
"""Resources of the processors, whose shares sum to `computation_share`."""

_MS = 1e6


@once_per_trace
def waits(trace: Trace) -> pl.DataFrame:
    """One row per executed message of the measured window, an attacker's own left out.

    Columns: message, class, delay_ns (Int64), and per resource `<name>_ns` (UInt64); these sum to
    delay_ns. Empty if the producer did not charge (a live run).
    """
    done = trace.delays().select("message", "class", "delay_ns").drop_nulls("delay_ns")
    return done.join(trace["waits"], on="message")


def shares(rows: pl.DataFrame) -> dict[str, float]:
    """Resource → its share of the latency of rows of `waits`; empty if there is none."""
    total = int(rows["delay_ns"].sum())
    return {name: int(rows[f"{name}_ns"].sum()) / total for name in WAITS} if total else {}


def by_class(trace: Trace) -> dict[str, dict[str, float]]:
    """Class → shares, for classes of which messages were executed."""
    rows = waits(trace)
    found = {name: shares(rows.filter(pl.col("class") == n)) for n, name in enumerate(CLASSES)}
    return {name: parts for name, parts in found.items() if parts}


def places(trace: Trace) -> pl.DataFrame:
    """Places where the messages of `waits` waited for each resource, of all classes; longest first.

    Columns: resource (of WAITS), node and peer (UInt32: a node, or the way from it to a peer; null
    = neither), wait_ns (UInt64) and share (of all delay; shares sum to 1). Of a resource, wait_ns
    sums to its column of `waits`. Empty if the producer did not charge.
    """
    summed = trace["wait_places"].group_by("resource", "node", "peer").agg(pl.col("wait_ns").sum())
    whole = pl.col("wait_ns").sum()
    name = pl.col("resource").replace_strict(range(len(WAITS)), WAITS, return_dtype=pl.String)
    return summed.with_columns(name, share=pl.col("wait_ns") / whole).sort(
        "wait_ns", "resource", "node", "peer", descending=[True, False, False, False]
    )


def waiting(trace: Trace, late_after_ms: float | None) -> list[Measure]:
    """wait_share.<resource>, wait_mean_ms.<resource> and computation_share of all messages, and
    late_wait_share.<resource> of liquidation orders that closed an account late.

    A share is of the summed delay of executed messages; the shares sum to 1 and the means to
    delay_mean_ms. Nothing, if the producer did not charge.
    """
    if trace["waits"].is_empty():
        return []
    rows = waits(trace)
    n, parts = rows.height, shares(rows)
    note = "executed messages only" if n else "no message was executed in the window"
    found = []
    for name in WAITS:
        found.append(Measure(f"wait_share.{name}", parts.get(name), n=n, note=note))
    for name in WAITS:
        mean = int(rows[f"{name}_ns"].sum()) / n / _MS if n else None
        found.append(Measure(f"wait_mean_ms.{name}", mean, n=n, note=note))
    own = sum(parts[name] for name in COMPUTATION) if parts else None
    found.append(Measure("computation_share", own, n=n, note=note))
    return found + _late(trace, rows, late_after_ms)


def late(trace: Trace, rows: pl.DataFrame, late_after_ms: float | None) -> pl.DataFrame:
    """The rows of `waits` of liquidation orders that were late and the first to close some of a due
    account."""
    if late_after_ms is None:
        return rows.clear()
    closed = executed_orders(trace, late_after_ms).filter(pl.col("timing") == Timing.LATE)
    return rows.join(closed.select("message").drop_nulls().unique(), on="message", how="semi")


def _late(trace: Trace, rows: pl.DataFrame, late_after_ms: float | None) -> list[Measure]:
    mine = late(trace, rows, late_after_ms)
    return [
        Measure(
            f"late_wait_share.{name}",
            part,
            n=mine.height,
            note="from the order's sending; time before that is the keeper's",
        )
        for name, part in shares(mine).items()
    ]
