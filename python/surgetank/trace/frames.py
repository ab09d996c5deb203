"""Frames derived from the tables, shared by measures and report."""

from __future__ import annotations

import polars as pl

from surgetank.trace.schema import SOURCES, STAGES

__all__ = ["ATTACKER", "delays", "lag"]

ATTACKER = SOURCES.index("attacker")
"""Number of the attacker among the sources of messages."""


def delays(messages: pl.DataFrame, from_ns: int, until_ns: int) -> pl.DataFrame:
    """One row per client message created in [from_ns, until_ns], in order of creation.

    An attacker's own messages are left out: a venue is judged by what the others get.

    Columns: message, class, account, gateway, source, outcome, created_ns, executed_ns (UInt64),
    delay_ns (Int64, executed − created, null if not executed) and one Int64 column `<stage>_ns`
    per stage (null unless executed). The stages are differences of neighbouring stamps, so that
    they sum to delay_ns in whole nanoseconds; a stage with a stamp missing is null.
    """
    done = pl.col("executed_ns").is_not_null() & (pl.col("outcome") == 1)

    def span(begin: str, end: str) -> pl.Expr:
        return pl.when(done).then(pl.col(end).cast(pl.Int64) - pl.col(begin).cast(pl.Int64))

    return (
        messages.lazy()
        .filter(pl.col("created_ns").is_between(from_ns, until_ns), pl.col("source") != ATTACKER)
        .select(
            "message",
            "class",
            "account",
            "gateway",
            "source",
            "outcome",
            "created_ns",
            "executed_ns",
            span("created_ns", "executed_ns").alias("delay_ns"),
            *(span(begin, end).alias(f"{stage}_ns") for stage, (begin, end) in STAGES.items()),
        )
        .sort("created_ns", "message")
        .collect()
    )


def lag(executions: pl.DataFrame, nodes: int, end_ns: int) -> pl.DataFrame:
    """One row per height and node: how far the node trailed the quorum at that height.

    Columns: height, node (UInt32), quorum_ns (UInt64: when more than 2/3 of the nodes had executed
    the height; null = never), executed_ns (UInt64: when the node had executed it or a later one;
    null = not within the run), lag_ns (Int64: the node's greatest lag at this height,
    executed − quorum, at least 0; until the end of the run if it never executed it).
    """
    heights = executions.select(pl.col("height").unique().sort())
    grid = heights.join(
        pl.DataFrame({"node": pl.Series(range(nodes), dtype=pl.UInt32)}), how="cross"
    )
    needed = 2 * nodes // 3 + 1
    return (
        grid.lazy()
        .join(
            executions.lazy().group_by("height", "node").agg(pl.col("executed_ns").min()),
            on=["height", "node"],
            how="left",
        )
        # A node that executed a later height (state sync) has this one behind it.
        .sort("node", "height")
        .with_columns(
            pl.col("executed_ns")
            .fill_null(2**64 - 1)
            .cum_min(reverse=True)
            .over("node")
            .replace(2**64 - 1, None)
        )
        .with_columns(
            pl.col("executed_ns")
            .sort(nulls_last=True)
            .get(needed - 1, null_on_oob=True)
            .over("height")
            .alias("quorum_ns")
        )
        .with_columns(
            (
                pl.col("executed_ns").fill_null(end_ns).cast(pl.Int64)
                - pl.col("quorum_ns").cast(pl.Int64)
            )
            .clip(lower_bound=0)
            .fill_null(0)
            .alias("lag_ns")
        )
        .select("height", "node", "quorum_ns", "executed_ns", "lag_ns")
        .sort("height", "node")
        .collect()
    )
