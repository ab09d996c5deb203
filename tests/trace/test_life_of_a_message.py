"""Who reports a message, and when the market executes a block, as ARCHITECTURE.md says."""

from __future__ import annotations

from functools import cache

import polars as pl
import pytest

import surgetank as st
from surgetank.trace import MarketKind, Outcome, Trace

SHORT = {"duration_s": 8.0, "warmup_s": 1.0}


@cache
def traced(name: str) -> Trace:
    """A short run of a shipped scenario."""
    return st.simulate(st.load(name).with_values(SHORT), seed=7)


def reported_elsewhere(trace: Trace, node: pl.Expr) -> tuple[int, int]:
    """Executed messages; and those whose last two stamps are not those of a node."""
    executed = trace["messages"].filter(pl.col("outcome") == Outcome.EXECUTED)
    own = executed.with_columns(node.cast(pl.UInt32).alias("node")).join(
        trace["executions"].with_columns(pl.col("node").cast(pl.UInt32)),
        on=["height", "node"],
        suffix="_of_node",
    )
    kept = own.filter(
        (pl.col("decided_ns") == pl.col("decided_ns_of_node"))
        & (pl.col("executed_ns") == pl.col("executed_ns_of_node"))
    )
    return executed.height, executed.height - kept.height


@pytest.mark.parametrize(
    ("name", "node", "another"),
    [
        ("calm", pl.col("gateway"), (pl.col("gateway") + 1) % 13),
        ("rollup-sequencer", pl.lit(0), pl.lit(1)),
    ],
    ids=["tendermint: its gateway", "single: the sequencer"],
)
def test_who_reports_a_message(name: str, node: pl.Expr, another: pl.Expr) -> None:
    """With the control: another node's stamps are others."""
    messages, elsewhere = reported_elsewhere(traced(name), node)
    assert messages > 100 and elsewhere == 0
    assert reported_elsewhere(traced(name), another)[1] > messages / 2


def test_the_market_executes_a_block_with_the_first_node() -> None:
    """Every trade has the time at which the first node executed a block."""
    trace = traced("calm")
    first = trace["executions"].group_by("height").agg(pl.col("executed_ns").min())["executed_ns"]
    trades = trace["market"].filter(pl.col("kind") == MarketKind.TRADE)["time_ns"]
    assert len(trades) > 20
    assert set(trades) <= set(first)
    later = trace["executions"].filter(~pl.col("executed_ns").is_in(first.implode()))["executed_ns"]
    assert len(later) > 20 and not set(trades) & set(later)
