"""Frames derived from the tables, shared by measures and report."""

from __future__ import annotations

import numpy as np
import polars as pl

from surgetank.trace.names import STAGES, Outcome, OutcomeReason, Source

__all__ = ["delays", "groups_of", "lag", "waits"]


def waits() -> pl.Expr:
    """Whether a row of `messages` waited until it was executed, or to the end of the run.

    A message that was refused or lost did not wait. A live message that timed out did, and so did
    one that was acknowledged and never delivered.
    """
    open_ends = pl.col("outcome").is_in([Outcome.EXECUTED, Outcome.PENDING])
    return open_ends | pl.col("reason").is_in(
        [OutcomeReason.TIMED_OUT, OutcomeReason.ACKNOWLEDGED_AND_LOST]
    )


def groups_of(nodes: str) -> list[list[int]]:
    """The groups of nodes in a cell `nodes` of the table `faults`, such as `0,1|2`; an empty cell,
    which is all nodes, has none. −1 = the clients of a live run."""
    return [[int(node) for node in group.split(",")] for group in nodes.split("|") if group]


def delays(messages: pl.DataFrame, from_ns: int, until_ns: int) -> pl.DataFrame:
    """One row per client message created in [from_ns, until_ns], in order of creation.

    An attacker's own messages are left out: a venue is judged by the messages of its other clients.

    Columns: message, class, account, gateway, source, outcome, created_ns, executed_ns (UInt64),
    delay_ns (Int64, executed − created, null if not executed) and one Int64 column `<stage>_ns`
    per stage (null unless executed). The stages are differences of neighbouring stamps, so that
    they sum to delay_ns in whole nanoseconds; a stage with a stamp missing is null.
    """
    done = pl.col("executed_ns").is_not_null() & (pl.col("outcome") == Outcome.EXECUTED)

    def span(begin: str, end: str) -> pl.Expr:
        return pl.when(done).then(pl.col(end).cast(pl.Int64) - pl.col(begin).cast(pl.Int64))

    return (
        messages.lazy()
        .filter(
            pl.col("created_ns").is_between(from_ns, until_ns), pl.col("source") != Source.ATTACKER
        )
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


def lag(executions: pl.DataFrame, nodes: int) -> pl.DataFrame:
    """One row per height and node: when the node, and when the first node, had executed it.

    Columns: height, node (UInt32), first_ns (UInt64: when the first node had executed the height or
    a later one; null = none did), executed_ns (UInt64: when this node had; null = not within the
    run).
    """
    heights, row = np.unique(executions["height"].to_numpy(), return_inverse=True)
    never = np.iinfo(np.uint64).max
    done = np.full((len(heights), nodes), never)
    at = executions["executed_ns"].fill_null(never).to_numpy()
    np.minimum.at(done, (row, executions["node"].to_numpy()), at)
    # A node that executed a later height (state sync) has this one behind it.
    done = np.minimum.accumulate(done[::-1])[::-1]
    first = done.min(axis=1, initial=never)
    times = pl.col("first_ns", "executed_ns")
    return pl.DataFrame(
        {
            "height": np.repeat(heights, nodes),
            "node": np.tile(np.arange(nodes, dtype=np.uint32), len(heights)),
            "first_ns": np.repeat(first, nodes),
            "executed_ns": done.ravel(),
        }
    ).with_columns(pl.when(times != never).then(times))
