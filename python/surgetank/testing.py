"""Hand-made traces, for testing measures, reports and targets without a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl

from surgetank.scenario import Scenario
from surgetank.trace import SCHEMA, MessageClass, Outcome, Run, Stats, Trace

__all__ = ["executed", "make_trace", "unfinished"]

Row = Mapping[str, Any]


def make_trace(
    tables: Mapping[str, Iterable[Row]] | None = None,
    *,
    name: str = "hand-made",
    seed: int = 1,
    build: str = "test",
    stats: Mapping[str, Any] | None = None,
    scenario: Scenario | Mapping[str, Any] | None = None,
    complete: bool = True,
    nodes: int = 3,
    measured_from_ns: int = 0,
    flow_end_ns: int = 10_000_000_000,
    end_ns: int = 20_000_000_000,
) -> Trace:
    """A trace from rows that name only the cells that matter.

    Cells left out are null where the schema allows it, else 0 or "". A scenario may name only the
    keys that matter; one that is not given has a market if there are rows of one.

    Raises:
        SurgetankError: as `Trace.from_tables`.
    """
    frames = {}
    for table, rows in (tables or {}).items():
        columns = SCHEMA[table]
        blank: dict[str, Any] = {
            c: None if spec.nullable else "" if spec.dtype == pl.String else 0
            for c, spec in columns.items()
        }
        frames[table] = pl.DataFrame(
            [{**blank, **row} for row in rows],
            schema={c: spec.dtype for c, spec in columns.items()},
            orient="row",
        )
    window = {
        "nodes": nodes,
        "measured_from_ns": measured_from_ns,
        "flow_end_ns": flow_end_ns,
        "end_ns": end_ns,
        "tick_usd": 0.01,
        "lot": 0.001,
        "quantum_usd": 0.000001,
    }
    return Trace.from_tables(
        frames,
        run=Run(name, seed, "0" * 64, build),
        stats=Stats.parse({**window, **(stats or {})}),
        complete=complete,
        scenario=_scenario(scenario, market="market" in frames),
    )


def _scenario(given: Scenario | Mapping[str, Any] | None, *, market: bool) -> Scenario:
    if isinstance(given, Scenario):
        return given
    if given is None:
        given = {"market": {}} if market else {}
    return Scenario.build({"name": "hand-made", **given})


def executed(message: int, created_ns: int, delay_ns: int, **cells: Any) -> Row:
    """A row of `messages`, executed after delay_ns, a sixth of it in each stage."""
    stamps = ("gateway", "admitted", "queued", "proposed", "decided", "executed")
    row: dict[str, Any] = {
        "message": message,
        "class": MessageClass.ORDER,
        "tries": 1,
        "created_ns": created_ns,
    }
    for i, stamp in enumerate(stamps, start=1):
        row[f"{stamp}_ns"] = created_ns + delay_ns * i // len(stamps)
    return {**row, "outcome": Outcome.EXECUTED, "confirmed_ns": created_ns + delay_ns, **cells}


def unfinished(message: int, created_ns: int, outcome: int = 0, **cells: Any) -> Row:
    """A row of `messages` never executed: outcome 0 pending, 2 refused, 3 lost."""
    head = {
        "message": message,
        "class": MessageClass.ORDER,
        "created_ns": created_ns,
        "outcome": outcome,
    }
    return {**head, **cells}
